import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";

/** What a command printed, on both outputs in the order it came, and how it ended. */
export interface ShellResult {
  readonly output: string;
  readonly exitCode: number;
  readonly tookMs: number;
}

/** How a shell is started. */
export interface ShellOptions {
  readonly folder: string;
  readonly environment: NodeJS.ProcessEnv;
}

/** A shell that is given one command after the other, as by somebody at a terminal: variables and functions stay. */
export class Shell {
  readonly #bash: ChildProcessWithoutNullStreams;
  /** Ends what a command printed; unlike anything it prints itself. */
  readonly #mark = `end-${randomUUID()}`;
  #output = "";
  #heard: () => void = () => {};

  constructor({ folder, environment }: ShellOptions) {
    // A group of its own, so that a command that hangs can be ended with all that it started.
    const options = { cwd: folder, env: environment, detached: true } as const;
    this.#bash = spawn("bash", ["--noprofile", "--norc", "-o", "pipefail"], options);
    const hear = (text: string) => {
      this.#output += text;
      this.#heard();
    };
    this.#bash.stdout.setEncoding("utf8").on("data", hear);
    this.#bash.stderr.setEncoding("utf8").on("data", hear);
    // That the shell is gone is seen by its end, not by what can no longer be written to it.
    this.#bash.stdin.on("error", () => {});
    this.#bash.once("close", () => this.#heard());
  }

  /**
   * Runs a command to its end.
   * @throws Error with what it had printed when that takes longer, or when it ends the shell; the shell is gone then.
   */
  async run(command: string, timeoutMs: number): Promise<ShellResult> {
    const beganMs = performance.now();
    this.#output = "";
    // Its input is empty, so that it cannot read the commands that follow.
    this.#bash.stdin.write(`{ ${command}\n} </dev/null 2>&1; echo "${this.#mark} $?"\n`);
    const end = new RegExp(`^(?<output>.*)${this.#mark} (?<code>\\d+)\\n$`, "s");
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
    this.#heard = () => {
      const found = end.exec(this.#output);
      if (found !== null) resolve(found);
      else if (this.#bash.exitCode !== null || this.#bash.signalCode !== null)
        reject(new Error(`${command} ended the shell; it had printed:\n${this.#output}`));
    };
    this.#heard();
    const timer = setTimeout(() => {
      this.end();
      reject(
        new Error(`${command} took over ${timeoutMs / 1000} s; it had printed:\n${this.#output}`),
      );
    }, timeoutMs);
    try {
      const { output = "", code } = (await promise).groups ?? {};
      return { output, exitCode: Number(code), tookMs: performance.now() - beganMs };
    } finally {
      clearTimeout(timer);
      this.#heard = () => {};
    }
  }

  /** Ends the shell, and with it whatever still runs in it. */
  end(): void {
    const { pid, exitCode, signalCode } = this.#bash;
    if (pid !== undefined && exitCode === null && signalCode === null)
      process.kill(-pid, "SIGKILL");
  }
}
