import type { Clock } from "../../api/clock.ts";
import type { Reporter } from "./reporter.ts";

/** What commands use of the process they run in. */
export interface Runtime {
  readonly reporter: Reporter;
  readonly clock: Clock;
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal;
  /** Writes results, as opposed to progress, to standard output. */
  write(text: string): void;
  /** Whether results may be in colour. */
  readonly useColor: boolean;
}
