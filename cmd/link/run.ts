import { inspect } from "node:util";
import { type Command, CommanderError } from "commander";
import type { Clock } from "../../api/clock.ts";
import { EXIT_CODES, type ExitCode, toCliError } from "./cli-error.ts";
import { wantsColor } from "./color.ts";
import { COMPLETE_WORD, completeWords } from "./completion/complete.ts";
import { createProgram, everyCommand } from "./program.ts";
import { type OutputStream, TerminalReporter } from "./terminal-reporter.ts";

/** One call of the command line, with all that it sees of its process. */
export interface Invocation {
  /** What follows the program's name. */
  args: readonly string[];
  /** By which it was called: `link`, or `kubectl link`. */
  name: string;
  env: NodeJS.ProcessEnv;
  stdout: OutputStream;
  stderr: OutputStream;
  clock: Clock;
  /** Aborts on Ctrl-C. */
  signal: AbortSignal;
}

/**
 * Runs one command line. Results go to `stdout`, all else to `stderr`; nothing
 * is thrown, and a stack is shown only with `--debug`.
 * @returns what the shell is to be told.
 */
export async function runLink(invocation: Invocation): Promise<ExitCode> {
  const { args, name, stdout, stderr, clock, signal } = invocation;
  const reporter = new TerminalReporter(stderr, wantsColor(stderr, invocation));
  const program = createProgram(
    {
      reporter,
      clock,
      signal,
      write: (text) => void stdout.write(text),
      useColor: wantsColor(stdout, invocation),
    },
    name,
  );
  try {
    if (args[0] === COMPLETE_WORD) {
      stdout.write(await completeWords(program, args.slice(1), invocation));
    } else {
      await prepare(program, invocation).parseAsync(args, { from: "user" });
    }
    return EXIT_CODES.ok;
  } catch (error) {
    if (error instanceof CommanderError) {
      // Commander has printed its message; asking for help is no error.
      return error.exitCode === 0 ? EXIT_CODES.ok : EXIT_CODES.usage;
    }
    const failure = toCliError(error, signal);
    reporter.fail(failure.message, failure.fix);
    if (everyCommand(program).some((command) => command.opts()["debug"] === true)) {
      stderr.write(`${inspect(error)}\n`);
    }
    return failure.exitCode;
  } finally {
    reporter.close();
  }
}

/** Lets every command throw where it would end the process, and write to our streams. */
function prepare(program: Command, { stdout, stderr }: Invocation): Command {
  for (const command of everyCommand(program)) {
    command.exitOverride().configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
    });
  }
  return program;
}
