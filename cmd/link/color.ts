/**
 * Whether a stream is written to in colour: where a person looks, unless they
 * said otherwise. `--no-color` and NO_COLOR (https://no-color.org) win over
 * FORCE_COLOR (https://force-color.org), which wins over what the stream is.
 */
export function wantsColor(
  stream: { readonly isTTY?: boolean },
  { args, env }: { args: readonly string[]; env: NodeJS.ProcessEnv },
): boolean {
  if (args.includes("--no-color") || isSet(env["NO_COLOR"])) return false;
  if (isSet(env["FORCE_COLOR"])) return env["FORCE_COLOR"] !== "0";
  return stream.isTTY === true && env["TERM"] !== "dumb";
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "";
}
