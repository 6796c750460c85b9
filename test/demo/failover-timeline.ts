import type { Mark } from "./answer-chart.ts";
import type { Phase } from "./failover-verdict.ts";

/** What is expected of the requests of a phase. */
export type Expectation = Pick<Phase, "name" | "kind" | "mayAnswer" | "mayFail">;

/** Writes down what was done when, and what was to be expected from then on: each phase ends where the next begins. */
export class Timeline {
  readonly marks: Mark[] = [];
  readonly #begun: { readonly fromMs: number; readonly expected: Expectation }[] = [];

  /** Something is done that clients may notice. */
  mark(atMs: number, text: string): void {
    this.marks.push({ atMs, text });
  }

  begin(fromMs: number, expected: Expectation): void {
    this.#begun.push({ fromMs, expected });
  }

  /** All phases, the last of which ends now. */
  phases(toMs: number): Phase[] {
    return this.#begun.map(({ fromMs, expected }, index) => ({
      ...expected,
      fromMs,
      toMs: this.#begun[index + 1]?.fromMs ?? toMs,
    }));
  }
}
