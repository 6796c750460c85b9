import { describe, expect, test } from "vitest";
import { readSections } from "./console-blocks.ts";

const page = (...lines: string[]) => lines.join("\n");

describe("the console blocks of a page", () => {
  test("are commands, each with the output shown of it, below the heading above them", () => {
    const [section, ...others] = readSections(
      page("# A", "## First", "words", "```console", "$ one", "  1", "$ two", "```"),
    );
    expect(others).toEqual([]);
    expect(section).toEqual({
      title: "First",
      commands: [
        { text: "one", line: 5, exitCode: 0, shown: [{ text: "  1", line: 6 }] },
        { text: "two", line: 7, exitCode: 0, shown: [] },
      ],
    });
  });

  test("may hold a command that goes on in the next line", () => {
    const [section] = readSections(page("# A", "```console", "$ one \\", "  --flag", "out", "```"));
    expect(section?.commands).toMatchObject([
      { text: "one \\\n  --flag", shown: [{ text: "out" }] },
    ]);
  });

  test("may say how the last of their commands ends", () => {
    const [section] = readSections(
      page("# A", "```console exit=1", "$ one", "$ two", "```", "```console", "$ three", "```"),
    );
    expect(section?.commands.map(({ exitCode }) => exitCode)).toEqual([0, 1, 0]);
  });

  test("are the only blocks that are run", () => {
    const text = page("# A", "```sh", "# no heading", "$ one", "```", "```", "$ two", "```");
    expect(readSections(text)).toEqual([]);
  });

  test("must begin with a command", () => {
    const text = page("# A", "```console", "out", "```");
    expect(() => readSections(text)).toThrow("line 3: a console block begins with a command");
  });
});
