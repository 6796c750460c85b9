import ora, { type Ora } from "ora";
import { createColors } from "picocolors";
import type { Reporter } from "./reporter.ts";

/** What is written to: a stream of the process, or one that a test reads. */
export type OutputStream = NodeJS.WritableStream & { readonly isTTY?: boolean };

/** Writes to a stream: with a spinner and colour on a terminal, one line per step elsewhere. */
export class TerminalReporter implements Reporter {
  readonly #stream: OutputStream;
  readonly #colors: ReturnType<typeof createColors>;
  readonly #spinner: Ora | undefined;
  #lastProgress = "";

  constructor(stream: OutputStream, useColor: boolean) {
    this.#stream = stream;
    this.#colors = createColors(useColor);
    this.#spinner =
      stream.isTTY === true
        ? // Ctrl-C is ours: discarding input would keep the process from seeing it.
          ora({ stream, discardStdin: false, hideCursor: true, color: useColor ? "cyan" : false })
        : undefined;
  }

  progress(text: string): void {
    if (this.#spinner !== undefined) {
      this.#spinner.text = text;
      if (!this.#spinner.isSpinning) this.#spinner.start();
    } else if (text !== this.#lastProgress) {
      this.#stream.write(`… ${text}\n`);
    }
    this.#lastProgress = text;
  }

  done(text: string): void {
    this.#line(`${this.#colors.green("✓")} ${text}`);
  }

  info(text: string): void {
    this.#line(`  ${text}`);
  }

  warn(text: string): void {
    this.#line(`${this.#colors.yellow("!")} ${text}`);
  }

  next(command: string, purpose: string): void {
    this.#line(`\n${purpose}:\n  ${this.#colors.bold(command)}`);
  }

  /** Prints what went wrong and the fix. */
  fail(message: string, fix: string | undefined): void {
    this.#line(`${this.#colors.red("✗")} ${message}`);
    if (fix !== undefined) this.#line(`  ${this.#colors.bold("fix:")} ${fix}`);
  }

  /** Stops the spinner, so that the terminal is as it was. */
  close(): void {
    this.#spinner?.stop();
  }

  #line(text: string): void {
    this.#spinner?.stop();
    this.#stream.write(`${text}\n`);
  }
}
