import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readSections } from "./console-blocks.ts";
import type { RanCommand } from "./page.ts";
import { sessionPage } from "./session-page.ts";

const DOCS = new URL("../../docs/", import.meta.url);

function ran(section: string, text: string, output: string): RanCommand {
  const command = { text, line: 1, shown: [], exitCode: 0 };
  return { section, command, output, exitCode: 0, tookMs: 1 };
}

function commands(page: string): unknown {
  const sections = readSections(readFileSync(new URL(page, DOCS), "utf8"));
  return sections.map((section) => ({
    title: section.title,
    commands: section.commands.map(({ text }) => text),
  }));
}

test("a session has each command with its output, without progress and without this machine's names", () => {
  const page = sessionPage(
    [
      ran("Install", "link install", "… applying\n✓ done in /tmp/x/y\n\n"),
      ran("Install", "true", ""),
      ran("Leave", "link uninstall", "✓ gone\n"),
    ],
    new Map([["/tmp/x", "$work"]]),
  );
  expect(page.slice(page.indexOf("## "))).toBe(`## Install

\`\`\`console
$ link install
✓ done in $work/y
$ true
\`\`\`

## Leave

\`\`\`console
$ link uninstall
✓ gone
\`\`\`
`);
});

test("the recorded session has the commands of the quickstart", () => {
  expect(commands("session.md")).toEqual(commands("quickstart.md"));
});
