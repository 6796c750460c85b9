import type { Clock, Random } from "../../api/clock.ts";
import { backoffDelayMs } from "../../kube/backoff.ts";

/** So many repairs of one mirror are made at once; from then on somebody else seems to insist. */
export const FREE_REPAIRS = 5;
const BACKOFF = { baseMs: 2000, maxMs: 5 * 60_000 };
/** After so long without a repair the dispute is over. */
const CALM_MS = 10 * 60_000;

interface Entry {
  /** What the mirror was to be when it was last written. */
  readonly desired: string;
  readonly repairs: number;
  readonly lastRepairMs: number;
  readonly pauseMs: number;
}

/**
 * Keeps repairs from becoming a fight: writes that put back what somebody else
 * changed come at growing distances. A write of something new is never held back.
 */
export class RepairGuard {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** For how long, in milliseconds, the mirror of `owner` is to be left as it is; 0 to go ahead. */
  pauseMs(owner: string, desired: string): number {
    const entry = this.#entries.get(owner);
    if (entry === undefined || entry.desired !== desired) return 0;
    return Math.max(0, entry.lastRepairMs + entry.pauseMs - this.#clock.nowMs());
  }

  /** The mirror is the desired one now; says which repair in a row that took, 0 when it took none. */
  settled(owner: string, desired: string, changed: boolean): number {
    const nowMs = this.#clock.nowMs();
    const entry = this.#entries.get(owner);
    if (entry === undefined || entry.desired !== desired) {
      this.#entries.set(owner, { desired, repairs: 0, lastRepairMs: nowMs, pauseMs: 0 });
      return 0;
    }
    if (!changed) return 0;
    const repairs = nowMs - entry.lastRepairMs > CALM_MS ? 1 : entry.repairs + 1;
    const pauseMs =
      repairs < FREE_REPAIRS
        ? 0
        : backoffDelayMs(repairs - FREE_REPAIRS + 1, BACKOFF, this.#random);
    this.#entries.set(owner, { desired, repairs, lastRepairMs: nowMs, pauseMs });
    return repairs;
  }

  forget(owner: string): void {
    this.#entries.delete(owner);
  }
}
