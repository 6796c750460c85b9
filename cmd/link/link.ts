#!/usr/bin/env node
import { isatty } from "node:tty";
import { CommanderError } from "commander";
import path from "node:path";
import { systemClock } from "../../api/clock.ts";
import { EXIT_CODES, toCliError } from "./cli-error.ts";
import { createProgram } from "./program.ts";
import { TerminalReporter } from "./terminal-reporter.ts";

/** Colour where a person looks, unless they said no. https://no-color.org */
function wantsColor(stream: { fd: number }): boolean {
  return (
    isatty(stream.fd) && (process.env["NO_COLOR"] ?? "") === "" && process.env["TERM"] !== "dumb"
  );
}

/** kubectl finds plugins by their name on the PATH and hides it from them. */
function calledAs(): string {
  return path.basename(process.argv[1] ?? "").startsWith("kubectl-link") ? "kubectl link" : "link";
}

const interruption = new AbortController();
const reporter = new TerminalReporter(process.stderr, wantsColor(process.stderr));

for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => {
    // The first asks to stop and clean up; the second will not wait for that.
    if (interruption.signal.aborted) process.exit(EXIT_CODES.interrupted);
    interruption.abort(new Error("interrupted"));
  });
}

const program = createProgram(
  {
    reporter,
    clock: systemClock,
    signal: interruption.signal,
    write: (text) => process.stdout.write(text),
    useColor: wantsColor(process.stdout),
  },
  calledAs(),
);
for (const command of [program, ...program.commands]) command.exitOverride();

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed its message; asking for help is no error.
    process.exitCode = error.exitCode === 0 ? EXIT_CODES.ok : EXIT_CODES.usage;
  } else {
    const failure = toCliError(error, interruption.signal);
    reporter.fail(failure.message, failure.fix);
    if (program.commands.some((command) => command.opts()["debug"] === true)) console.error(error);
    process.exitCode = failure.exitCode;
  }
} finally {
  reporter.close();
}
