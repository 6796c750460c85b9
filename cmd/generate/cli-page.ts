import type { Command, Option } from "commander";
import { systemClock } from "../../api/clock.ts";
import { createProgram, EXIT_CODE_WORDS } from "../link/program.ts";
import { silentReporter } from "../link/reporter.ts";
import { table } from "./markdown.ts";

/** docs/cli.md, from the tree of commands. */
export function cliPage(): string {
  const program = createProgram({
    reporter: silentReporter,
    clock: systemClock,
    signal: new AbortController().signal,
    write: () => {},
    useColor: false,
  });
  const codes = EXIT_CODE_WORDS.map(([code, words]) => [String(code), words]);
  return [
    "# The command `link`",
    `${program.description()} Put on the PATH under the name \`kubectl-link\` it is \`kubectl link\`.`,
    "Results go to standard output, progress and errors to standard error. Colour is used on a terminal only, and not when `NO_COLOR` is set.",
    ...program.commands.map(commandSection),
    `## Exit codes\n\n${table(["Code", "Meaning"], codes)}`,
    "",
  ].join("\n\n");
}

function commandSection(command: Command): string {
  const parts = [
    `## link ${command.name()}`,
    command.description(),
    `\`\`\`text\nlink ${command.name()} ${command.usage()}\n\`\`\``,
  ];
  const named = command.registeredArguments.map((argument) => [
    `\`${argument.name()}\``,
    argument.description,
  ]);
  if (named.length > 0) parts.push(table(["Argument", "Meaning"], named));
  if (command.options.length > 0) parts.push(optionTable(command.options));
  return parts.join("\n\n");
}

function optionTable(options: readonly Option[]): string {
  const rows = options.map((option) => [`\`${option.flags}\``, wordsOf(option)]);
  return table(["Option", "Meaning"], rows);
}

function wordsOf({
  description,
  argChoices,
  mandatory,
  defaultValueDescription,
  defaultValue,
}: Option): string {
  const shown: unknown = defaultValueDescription ?? defaultValue;
  const notes = [
    ...(mandatory ? ["required"] : []),
    ...(argChoices === undefined ? [] : [`one of ${argChoices.join(", ")}`]),
    ...(typeof shown === "string" ? [`default: ${shown}`] : []),
  ];
  return notes.length === 0 ? description : `${description} (${notes.join("; ")})`;
}
