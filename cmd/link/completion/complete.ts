import { Argument, type Command, type Option } from "commander";
import { locate, type Location } from "./locate.ts";
import { type NameKind, namesOf } from "./cluster-names.ts";

/** The hidden command by which the scripts ask for completions. */
export const COMPLETE_WORD = "__complete";

/**
 * How the answer ends, as for programs made with Cobra, which kubectl asks its
 * plugins in the same way.
 * https://pkg.go.dev/github.com/spf13/cobra#ShellCompDirective
 */
const FILES = ":0";
const NO_FILES = ":4";

interface Candidate {
  readonly value: string;
  readonly words?: string;
}

export interface CompleteOptions {
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
}

/**
 * What could stand in place of the last of `words`: one candidate a line, with
 * a tab and a description where there is one, then a line that says whether
 * names of files are wanted.
 * @param words what follows the program's name; the last, maybe empty, is not complete
 */
export async function completeWords(
  program: Command,
  words: readonly string[],
  options: CompleteOptions,
): Promise<string> {
  const location = locate(program, words);
  const word = words.at(-1) ?? "";
  const candidates = await candidatesOf(location, word, options);
  if (candidates === "files") return `${FILES}\n`;
  const lines = candidates
    .filter(({ value }) => value.startsWith(word))
    .map(({ value, words: about }) => (about === undefined ? value : `${value}\t${about}`));
  return [...lines, NO_FILES, ""].join("\n");
}

async function candidatesOf(
  { place, given }: Location,
  word: string,
  options: CompleteOptions,
): Promise<Candidate[] | "files"> {
  if (place.kind === "nothing") return [];
  if (place.kind === "command") return commandNames(place.command);
  if (place.kind === "option") return optionNames(place.command, given);
  const { of, prefix } = place;
  if (of.argChoices !== undefined) return withPrefix(of.argChoices, prefix);
  if (takesFile(of)) return "files";
  const kind = kindOf(of);
  if (kind === undefined) return [];
  const isProviders = of.name().startsWith("provider-");
  const names = await namesOf(kind, {
    ...options,
    kubeconfig:
      (isProviders ? given.get("providerKubeconfig") : undefined) ?? given.get("kubeconfig"),
    context: given.get("context"),
    namespace: given.get("namespace"),
  });
  // Services are taken as `svc/web` and as `web`.
  const isTyped = word.startsWith(SERVICE) || SERVICE.startsWith(word);
  return withPrefix(names, kind === "service" && isTyped ? SERVICE : prefix);
}

const SERVICE = "svc/";

function withPrefix(values: readonly string[], prefix: string): Candidate[] {
  return values.map((value) => ({ value: `${prefix}${value}` }));
}

function commandNames(command: Command): Candidate[] {
  const visible = command.createHelp().visibleCommands(command);
  return visible.map((each) => ({ value: each.name(), words: each.summary() }));
}

/** Those that have not been given yet. */
function optionNames(command: Command, given: ReadonlyMap<string, string>): Candidate[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .filter((option) => option.variadic || !given.has(option.attributeName()))
    .map(({ long, short, description }) => ({ value: long ?? short ?? "", words: description }));
}

/** By the placeholder: `--kubeconfig <file>`, `<file>`. */
function takesFile(of: Option | Argument): boolean {
  return /^(file|dir|folder)/.test(placeholderOf(of));
}

/** By the name of the argument or the option, which mean the same in every command. */
function kindOf(of: Option | Argument): NameKind | undefined {
  const name = of.name();
  if (/(^|-)context$/.test(name)) return "context";
  if (name === "link" || name === "links") return "link";
  if (name === "consumer" || name === "peer") return "peer";
  if (name === "namespace") return "namespace";
  return name === "svc/NAME" ? "service" : undefined;
}

function placeholderOf(of: Option | Argument): string {
  return of instanceof Argument ? of.name() : (/[<[](.+?)[>\]]/.exec(of.flags)?.[1] ?? "");
}
