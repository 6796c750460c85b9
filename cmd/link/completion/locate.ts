import type { Argument, Command, Option } from "commander";

/** What the word under the cursor stands for. */
export type Place =
  /** The name of a command below this one. */
  | { readonly kind: "command"; readonly command: Command }
  /** An option of this command. */
  | { readonly kind: "option"; readonly command: Command }
  /** A value; `prefix` is what stands before it in the same word, as in `--context=we`. */
  | { readonly kind: "value"; readonly of: Option | Argument; readonly prefix: string }
  /** Nothing that is known. */
  | { readonly kind: "nothing" };

/** Where the cursor is, and the values of options before it by their names, such as `kubeconfig`. */
export interface Location {
  readonly place: Place;
  readonly given: ReadonlyMap<string, string>;
}

/**
 * Finds out what the last of `words` is to be.
 * @param words what follows the program's name; the last, maybe empty, is not complete
 */
export function locate(program: Command, words: readonly string[]): Location {
  const given = new Map<string, string>();
  let command = program;
  let operands = 0;
  let waiting: Option | undefined;
  let onlyOperands = false;
  for (const word of words.slice(0, -1)) {
    if (waiting !== undefined) {
      given.set(waiting.attributeName(), word);
      waiting = undefined;
    } else if (word === "--") {
      onlyOperands = true;
    } else if (!onlyOperands && word.startsWith("-")) {
      const [name, value] = splitOption(word);
      const option = command.options.find(({ long, short }) => long === name || short === name);
      if (option !== undefined && value !== undefined) given.set(option.attributeName(), value);
      else if (option?.required === true) waiting = option;
    } else {
      const below =
        operands === 0 ? command.commands.find((each) => each.name() === word) : undefined;
      if (below === undefined) operands += 1;
      else command = below;
    }
  }
  const word = words.at(-1) ?? "";
  return { place: placeOf(word, { command, operands, waiting, onlyOperands }), given };
}

function placeOf(
  word: string,
  {
    command,
    operands,
    waiting,
    onlyOperands,
  }: { command: Command; operands: number; waiting: Option | undefined; onlyOperands: boolean },
): Place {
  if (waiting !== undefined) return { kind: "value", of: waiting, prefix: "" };
  if (!onlyOperands && word.startsWith("-")) {
    const [name, value] = splitOption(word);
    const option = command.options.find(({ long }) => long === name);
    if (value === undefined) return { kind: "option", command };
    return option === undefined
      ? { kind: "nothing" }
      : { kind: "value", of: option, prefix: `${name}=` };
  }
  if (command.commands.length > 0) {
    return operands === 0 ? { kind: "command", command } : { kind: "nothing" };
  }
  const last = command.registeredArguments.at(-1);
  const argument =
    command.registeredArguments[operands] ?? (last?.variadic === true ? last : undefined);
  return argument === undefined ? { kind: "nothing" } : { kind: "value", of: argument, prefix: "" };
}

/** `--name=value` as its two parts; without `=` the name alone. */
function splitOption(word: string): [string, string?] {
  const at = word.startsWith("--") ? word.indexOf("=") : -1;
  return at === -1 ? [word] : [word.slice(0, at), word.slice(at + 1)];
}
