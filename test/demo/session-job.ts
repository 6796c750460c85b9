import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { attachBed, runningBeds } from "../bed/provider.ts";
import { Page, PROJECT_FOLDER } from "../docs/page.ts";
import { sessionPage } from "../docs/session-page.ts";
import { formatDuration, type Printer } from "./printer.ts";

const QUICKSTART = "docs/quickstart.md";
const SESSION = "docs/session.md";

/**
 * Runs the quickstart on a fresh bed and writes all it printed to docs/session.md. A bed that is left by a failure is
 * taken down.
 * @returns the figures in words.
 * @throws Error when a command does not do what the page says, or prints something of this machine.
 */
export async function recordSession(printer: Printer, signal: AbortSignal): Promise<string[]> {
  // npm has warnings about this machine's own settings.
  const page = new Page({ path: QUICKSTART, environment: { NPM_CONFIG_LOGLEVEL: "error" } });
  const own = new Map<string, string>();
  let bed = "";
  try {
    for (const { title } of page.sections) {
      signal.throwIfAborted();
      await printer.step(title, async () => {
        const value = await page.run(title);
        bed ||= await page.variable("BED");
        const work = await page.variable("work");
        if (work !== "") own.set(work, "$work");
        return { value, detail: `${value.length} commands` };
      });
    }
  } finally {
    page.end();
    if (runningBeds().includes(bed)) await attachBed(bed).down();
  }
  own.set(PROJECT_FOLDER, "~/isthmus");
  const text = sessionPage(page.ran, own);
  if (text.includes(`${tmpdir()}/`))
    throw new Error(`${SESSION} would name a path of this machine`);
  writeFileSync(join(PROJECT_FOLDER, SESSION), text);
  const tookMs = page.ran.reduce((sum, each) => sum + each.tookMs, 0);
  return [`${page.ran.length} commands in ${formatDuration(tookMs)}, written to ${SESSION}`];
}
