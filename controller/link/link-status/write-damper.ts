import type { StatusChange } from "./link-status.ts";

interface Pace {
  /** Writes in a row that need not wait for each other. */
  readonly burst: number;
  /** Between the writes after those: the first interval, doubling up to the last. */
  readonly firstMs: number;
  readonly maxMs: number;
  /** Since any other write. */
  readonly afterAnyMs: number;
  /** After so long without such a change, all begins anew. */
  readonly calmMs: number;
}

const AT_ONCE: Pace = { burst: Infinity, firstMs: 0, maxMs: 0, afterAnyMs: 0, calmMs: 0 };

/**
 * How fast a Link's status may be written, by what changed. Opening and closing
 * never wait. Conditions may each change once at the start; what then goes on
 * changing, as an error whose words differ from try to try does, is written
 * ever more rarely.
 */
const PACES: Readonly<Record<StatusChange, Pace>> = {
  none: AT_ONCE,
  ready: AT_ONCE,
  conditions: { burst: 5, firstMs: 1_000, maxMs: 30_000, afterAnyMs: 0, calmMs: 60_000 },
  messages: { burst: 1, firstMs: 20_000, maxMs: 600_000, afterAnyMs: 10_000, calmMs: 1_800_000 },
  counts: { burst: Infinity, firstMs: 0, maxMs: 0, afterAnyMs: 2_000, calmMs: 0 },
};

/** Spaces the writes of one Link's status; time comes from the caller. */
export class WriteDamper {
  /** Of the last write, epoch ms. */
  #lastMs: number;
  /** By kind of change: its writes in a row, and when the last of them was. */
  readonly #runs = new Map<StatusChange, { count: number; atMs: number }>();

  /** @param nowMs counts as a write: right after a start mirrors are still being counted */
  constructor(nowMs: number) {
    this.#lastMs = nowMs;
  }

  /** How long this change has to wait, in milliseconds; 0 or less: not at all. */
  waitMs(change: StatusChange, nowMs: number): number {
    const { burst, firstMs, maxMs, afterAnyMs } = PACES[change];
    const run = this.#runOf(change, nowMs);
    const beyond = run.count - burst;
    const ownMs = beyond < 0 ? 0 : Math.min(firstMs * 2 ** beyond, maxMs);
    // A clock that was set back must not hold writes off.
    const lastMs = Math.min(this.#lastMs, nowMs);
    return Math.max(lastMs + afterAnyMs, run.atMs + ownMs) - nowMs;
  }

  /** Notes a write. */
  wrote(change: StatusChange, nowMs: number): void {
    const { count } = this.#runOf(change, nowMs);
    this.#runs.set(change, { count: count + 1, atMs: nowMs });
    this.#lastMs = nowMs;
  }

  #runOf(change: StatusChange, nowMs: number): { count: number; atMs: number } {
    const run = this.#runs.get(change);
    const calm = run === undefined || nowMs < run.atMs || nowMs - run.atMs >= PACES[change].calmMs;
    return calm ? { count: 0, atMs: nowMs } : run;
  }
}
