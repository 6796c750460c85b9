import ora from "ora";
import { createColors } from "picocolors";

/** Tells of steps as they are taken, each with its time: in colour on a terminal, plain otherwise. */
export interface Printer {
  heading(text: string): void;
  /** A line as it is. */
  line(text: string): void;
  /** Runs a step and prints what it says it did, with the time it took. */
  step<T>(text: string, action: (progress: (line: string) => void) => Promise<Told<T>>): Promise<T>;
  /** The last line: all went well. */
  success(verdict: string, figures: string): void;
  failure(text: string): void;
}

/** What a step yields, and what is to be said of it. */
export interface Told<T> {
  readonly value: T;
  readonly detail?: string;
}

/** Seconds with one digit, or milliseconds below one second. */
export function formatDuration(durationMs: number): string {
  return durationMs < 1000 ? `${Math.round(durationMs)} ms` : `${(durationMs / 1000).toFixed(1)} s`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** A printer on standard output. */
export function createPrinter(options: { terminal: boolean; colour: boolean }): Printer {
  const { terminal, colour } = options;
  const pc = createColors(colour);
  return {
    heading: (text) => say(`\n${pc.bold(text)}`),
    line: say,
    success: (verdict, figures) => say(`${pc.bold(pc.green(verdict))} ${figures}`),
    failure: (text) => say(pc.red(text)),
    async step(text, action) {
      const spinner = terminal ? ora({ text, indent: 2, discardStdin: false }).start() : undefined;
      const beganMs = performance.now();
      try {
        const { value, detail } = await action((line) => {
          if (spinner !== undefined) spinner.text = `${text} ${pc.dim(line)}`;
        });
        spinner?.stop();
        const took = formatDuration(performance.now() - beganMs);
        say(
          `  ${pc.green("ok")} ${text}${detail === undefined ? "" : pc.dim(` — ${detail}`)} ${pc.cyan(took)}`,
        );
        return value;
      } catch (error) {
        spinner?.stop();
        say(`  ${pc.red("failed")} ${text}`);
        throw error;
      }
    },
  };
}
