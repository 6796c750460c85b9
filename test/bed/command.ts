import { spawn } from "node:child_process";
import type { CommandResult, ExecOptions } from "./bed.ts";

const defaultTimeoutMs = 30_000;
/** The code coreutils' timeout uses. */
const timedOutCode = 124;
const notFoundCode = 127;

/** Runs a command to its end and returns what it printed; a failing or missing command does not throw. */
export function run(args: readonly string[], options: ExecOptions = {}): Promise<CommandResult> {
  const [command = "", ...rest] = args;
  return new Promise((resolve) => {
    const child = spawn(command, rest, { stdio: "pipe" });
    let stdout = "";
    let stderr = "";
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill("SIGKILL");
    }, options.timeoutMs ?? defaultTimeoutMs);
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    // A command that ends without reading its input is no failure of ours.
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
    child.once("error", (error) => {
      clearTimeout(timer);
      resolve({ stdout, stderr: stderr + error.message, code: notFoundCode });
    });
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ stdout, stderr, code: timedOut ? timedOutCode : (code ?? (signal ? 128 : 1)) });
    });
  });
}

/**
 * Runs a command that has to succeed and returns its standard output.
 * @throws Error with the command and what it printed when it fails.
 */
export async function runOk(args: readonly string[], options: ExecOptions = {}): Promise<string> {
  const { stdout, stderr, code } = await run(args, options);
  if (code !== 0)
    throw new Error(`${args.join(" ")}: exit code ${code}: ${(stderr || stdout).trim()}`);
  return stdout;
}
