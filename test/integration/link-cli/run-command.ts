import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { systemClock } from "../../../api/clock.ts";
import { runLink } from "../../../cmd/link/run.ts";

/** What a command printed and told the shell. */
export interface CommandOutcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a whole command line in this process, with nothing in its environment. */
export async function runCommand(
  args: readonly string[],
  signal = new AbortController().signal,
): Promise<CommandOutcome> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const printed = Promise.all([text(stdout), text(stderr)]);
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
  stderr.end();
  const [out, err] = await printed;
  return { code, stdout: out, stderr: err };
}
