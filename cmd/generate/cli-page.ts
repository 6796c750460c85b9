import type { Command, Option } from "commander";
import { readProgram, FRAME_FLAGS, EXIT_CODE_WORDS } from "../link/program.ts";
import { table } from "./markdown.ts";

const FORMATS = [
  "Results go to standard output, progress and errors to standard error. Colour is used on a terminal only; `--no-color` or `NO_COLOR` take it away there, `FORCE_COLOR` asks for it elsewhere.",
  "Each error says what is wrong with which object, and how to mend it; `--debug` adds the stack trace. With Ctrl-C a command stops and takes back what it has half made; a second Ctrl-C ends it at once.",
];

/** docs/cli.md, from the tree of commands. */
export function cliPage(): string {
  const program = readProgram();
  const codes = EXIT_CODE_WORDS.map(([code, words]) => [String(code), words]);
  return [
    "# The command `link`",
    `${program.description()} Put on the PATH under the name \`kubectl-link\` it is \`kubectl link\`.`,
    ...FORMATS,
    table(
      ["Command", "What it does"],
      leavesOf(program).map((command) => [linkTo(command), command.summary()]),
    ),
    `Every command takes\n\n${table(
      ["Option", "Meaning"],
      FRAME_FLAGS.map(([flags, words]) => [`\`${flags}\``, words]),
    )}`,
    ...program.commands.flatMap((command) => sectionsOf(command, 2)),
    `## Exit codes\n\n${table(["Code", "Meaning"], codes)}`,
    "",
  ].join("\n\n");
}

/** The commands that do something, as opposed to those that only hold others. */
function leavesOf(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leavesOf);
}

/** `link token issue`: a command's name with those above it. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function linkTo(command: Command): string {
  const path = pathOf(command);
  return `[\`${path}\`](#${path.replaceAll(" ", "-")})`;
}

function sectionsOf(command: Command, level: number): string[] {
  const parts = [
    `${"#".repeat(level)} ${pathOf(command)}`,
    command.description(),
    `\`\`\`text\n${pathOf(command)} ${command.usage()}\n\`\`\``,
  ];
  const named = command.registeredArguments.map((argument) => [
    `\`${argument.name()}\``,
    argument.description,
  ]);
  if (named.length > 0) parts.push(table(["Argument", "Meaning"], named));
  parts.push(...optionTable(command.options));
  const after = textAfterHelp(command).map(block);
  const below = command.commands.flatMap((each) => sectionsOf(each, level + 1));
  return [[...parts, ...after].join("\n\n"), ...below];
}

/** What stands below the options in a command's help, by paragraph. */
function textAfterHelp(command: Command): string[] {
  let text = "";
  command.configureOutput({ writeOut: (more) => void (text += more) }).outputHelp();
  const paragraphs = text.slice(command.helpInformation().length).trim().split("\n\n");
  return paragraphs.filter((paragraph) => !paragraph.startsWith("Exit codes:"));
}

/** A paragraph with a title and indented lines as a block, examples for the shell; another as it is. */
function block(paragraph: string): string {
  const [, title, lines] = /^([A-Z][^\n]*):\n( {2}[^]*)$/.exec(paragraph) ?? [];
  if (title === undefined || lines === undefined) return paragraph.replaceAll("\n", " ");
  const language = title.startsWith("Example") ? "sh" : "text";
  return `${title}:\n\n\`\`\`${language}\n${lines.replaceAll(/^ {2}/gm, "")}\n\`\`\``;
}

function optionTable(options: readonly Option[]): string[] {
  const own = options.filter(({ flags }) => !FRAME_FLAGS.some(([frame]) => frame === flags));
  const rows = own.map((option) => [`\`${option.flags}\``, wordsOf(option)]);
  return rows.length === 0 ? [] : [table(["Option", "Meaning"], rows)];
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
