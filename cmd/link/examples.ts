import type { Command } from "commander";

/** A command line as it is typed, and what it is for. */
export type Example = readonly [line: string, purpose: string];

/** Puts examples under the help of a command, each with its purpose as a shell comment. */
export function addExamples(command: Command, examples: readonly Example[]): Command {
  const lines = examples.map(([line, purpose]) => `  # ${purpose}\n  ${line}`);
  return command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}
