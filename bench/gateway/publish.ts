import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { runOk } from "../../test/bed/command.ts";

const DOCS_FOLDER = new URL("../../docs/", import.meta.url);
const BEGIN = "<!-- npm run bench -- gateway writes from here -->";
const END = "<!-- to here -->";

/** Puts tables and figure into docs/benchmarks.md. */
export async function publish(report: string, figure: string): Promise<void> {
  const page = new URL("benchmarks.md", DOCS_FOLDER);
  const drawing = new URL("figures/gateway.svg", DOCS_FOLDER);
  mkdirSync(new URL(".", drawing), { recursive: true });
  writeFileSync(drawing, figure);
  const image = "![CPU against HAProxy, throughput against the direct way](figures/gateway.svg)";
  writeFileSync(page, replaceBetweenMarkers(readFileSync(page, "utf8"), `${report}\n${image}\n`));
  // As `npm run check` wants it.
  await runOk(["oxfmt", fileURLToPath(page)]);
}

/** @throws Error when the page has no markers. */
export function replaceBetweenMarkers(page: string, content: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`no "${BEGIN}" and "${END}" in this order`);
  return `${page.slice(0, begin)}${BEGIN}\n\n${content}\n${page.slice(end)}`;
}
