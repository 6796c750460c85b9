import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { readProgram } from "../../cmd/link/program.ts";
import { linkCommands, troubleWith } from "./link-commands.ts";

const PROJECT_FOLDER = join(import.meta.dirname, "..", "..");
const PAGES = globSync("{*.md,docs/**/*.md}", { cwd: PROJECT_FOLDER });

describe("command lines of link on a page", () => {
  const program = new Command("link");
  program.addCommand(new Command("go").option("-n, --now", ""));
  const troubles = (page: string) =>
    linkCommands(page).map(({ line, words }) => [line, troubleWith(program, words)]);

  test("are found in blocks and in the text", () => {
    const page = "Say `link go --now`.\n```console\n$ link go -n | link\n  link stop # now\n```\n";
    expect(troubles(page)).toEqual([
      [1, undefined],
      [3, undefined],
      [4, "no command “stop”"],
    ]);
  });

  test("are wrong with an option that there is not", () => {
    expect(troubles("`link go x --later=1`")).toEqual([[1, "“go” has no option --later"]]);
  });
});

test("every page of the documentation names only commands and options that there are", () => {
  const program = readProgram();
  const wrong = PAGES.flatMap((page) =>
    linkCommands(readFileSync(join(PROJECT_FOLDER, page), "utf8")).flatMap(({ line, words }) => {
      const trouble = troubleWith(program, words);
      return trouble === undefined ? [] : `${page}:${line}: link ${words.join(" ")}: ${trouble}`;
    }),
  );
  expect(PAGES).toContain("docs/quickstart.md");
  expect(wrong).toEqual([]);
});
