#!/usr/bin/env node
import path from "node:path";
import { systemClock } from "../../api/clock.ts";
import { EXIT_CODES, toCliError } from "./cli-error.ts";
import { runLink } from "./run.ts";

/** kubectl finds plugins by their name on the PATH and hides it from them. */
function calledAs(): string {
  return path.basename(process.argv[1] ?? "").startsWith("kubectl-link") ? "kubectl link" : "link";
}

const { argv, env, stdout, stderr } = process;
const interruption = new AbortController();

for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => {
    // The first asks to stop and clean up; the second will not wait for that.
    if (interruption.signal.aborted) process.exit(EXIT_CODES.interrupted);
    interruption.abort(new Error("interrupted"));
  });
}

for (const stream of [stdout, stderr]) {
  // Who reads the first lines only (`| head`) has what they want; what is under way is not cut off for it.
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

// Also for rejections that nobody handles. The state is unknown then: nothing more is tried.
process.on("uncaughtException", (error) => {
  const { message } = toCliError(error);
  stderr.write(`✗ ${message}\n`);
  if (argv.includes("--debug")) console.error(error);
  else stderr.write("  fix: this is a bug of link; give --debug to see where\n");
  process.exit(EXIT_CODES.failed);
});

process.exitCode = await runLink({
  args: argv.slice(2),
  name: calledAs(),
  env,
  stdout,
  stderr,
  clock: systemClock,
  signal: interruption.signal,
});
