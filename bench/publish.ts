import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { runOk } from "../test/bed/command.ts";

const DOCS_FOLDER = new URL("../docs/", import.meta.url);
const END = "<!-- to here -->";

/** What a bench has to say in docs/benchmarks.md. */
export interface Publication {
  /** Markdown. */
  readonly report: string;
  /** SVG. */
  readonly figure: string;
  /** Of the file in docs/figures, without its extension. */
  readonly figureName: string;
  /** What the figure shows, for those who do not see it. */
  readonly caption: string;
}

/** Puts a bench's tables and figure into docs/benchmarks.md. */
export async function publish(
  bench: string,
  { report, figure, figureName, caption }: Publication,
): Promise<void> {
  const page = new URL("benchmarks.md", DOCS_FOLDER);
  const drawing = new URL(`figures/${figureName}.svg`, DOCS_FOLDER);
  mkdirSync(new URL(".", drawing), { recursive: true });
  writeFileSync(drawing, figure);
  const content = `${report}\n![${caption}](figures/${figureName}.svg)\n`;
  writeFileSync(page, replaceBetweenMarkers(readFileSync(page, "utf8"), bench, content));
  // As `npm run check` wants it.
  await runOk(["oxfmt", fileURLToPath(page)]);
}

/** Replaces what a bench wrote into a page before. @throws Error when the page has no markers of that bench. */
export function replaceBetweenMarkers(page: string, bench: string, content: string): string {
  const beginMarker = `<!-- npm run bench -- ${bench} writes from here -->`;
  const begin = page.indexOf(beginMarker);
  const end = page.indexOf(END, begin);
  if (begin < 0 || end < begin) throw new Error(`no "${beginMarker}" and "${END}" in this order`);
  return `${page.slice(0, begin)}${beginMarker}\n\n${content}\n${page.slice(end)}`;
}
