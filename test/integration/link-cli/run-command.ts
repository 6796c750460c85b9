import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { systemClock } from "../../../api/clock.ts";
import { runLink } from "../../../cmd/link/run.ts";

/** What a command printed and told the shell. */
export interface CommandOutcome {
  readonly code: number;
  readonly stdout: string;
}

/** Runs a whole command line in this process, with nothing in its environment. */
export async function runCommand(
  args: readonly string[],
  signal = new AbortController().signal,
): Promise<CommandOutcome> {
  const stdout = new PassThrough();
  const printed = text(stdout);
  const stderr = new PassThrough().resume();
  const code = await runLink({
    args,
    name: "link",
    env: {},
    stdout,
    stderr,
    clock: systemClock,
    signal,
  });
  stdout.end();
  return { code, stdout: await printed };
}
