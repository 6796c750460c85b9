import type { Command } from "commander";

/** A command line of `link` somewhere on a page. */
export interface WrittenCommand {
  /** Line of the page, from 1. */
  readonly line: number;
  readonly words: readonly string[];
}

const FENCE = /^\s*```/;
const IN_BLOCK = /^\s*(?:\$ )?(?:kubectl )?link (?<rest>.*)$/;
const IN_TEXT = /`(?:kubectl )?link (?<rest>[^`]+)`/g;
/** What stands in a usage for anything. */
const USAGE = /\[(?:options|command)\]/g;
/** What ends a command line, besides its own end. */
const END = /^(?:[|>;#&].*|2>.*)$/;

/** The command lines of `link` on a Markdown page, in blocks and in the text. */
export function linkCommands(markdown: string): WrittenCommand[] {
  const commands: WrittenCommand[] = [];
  let isBlock = false;
  for (const [index, text] of markdown.replaceAll("\\\n", "").split("\n").entries()) {
    if (FENCE.test(text)) isBlock = !isBlock;
    const found = isBlock ? [IN_BLOCK.exec(text)] : [...text.matchAll(IN_TEXT)];
    for (const match of found) {
      const rest = match?.groups?.["rest"];
      if (rest !== undefined) commands.push({ line: index + 1, words: wordsOf(rest) });
    }
  }
  return commands;
}

/** What is wrong with a command line: a command or an option that there is not. */
export function troubleWith(program: Command, words: readonly string[]): string | undefined {
  let command = program;
  for (const word of words) {
    if (command.commands.length > 0) {
      const next = command.commands.find((each) => each.name() === word);
      if (next === undefined) return word.startsWith("-") ? undefined : `no command “${word}”`;
      command = next;
    } else if (/^--?[a-z]/i.test(word)) {
      const [flag] = word.split("=");
      if (
        flag === "--help" ||
        command.options.some(({ long, short }) => flag === long || flag === short)
      )
        continue;
      return `“${command.name()}” has no option ${flag}`;
    }
  }
  return undefined;
}

function wordsOf(text: string): string[] {
  const words = text
    .replaceAll(USAGE, "")
    .split(/\s+/)
    .map((word) => word.replaceAll(/["'[\]()]/g, ""));
  const end = words.findIndex((word) => END.test(word));
  // Alternatives such as export|unexport are no command line.
  return words
    .slice(0, end === -1 ? words.length : end)
    .filter((word) => word !== "" && !word.includes("|"));
}
