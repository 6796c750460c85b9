import type { Clock, Random } from "../../api/clock.ts";
import { backoffDelayMs } from "../backoff.ts";
import { isApiError } from "../client/api-error.ts";

/** Few watch one API server, so that what heals may be found soon. */
const BACKOFF = { baseMs: 250, maxMs: 10_000 };
/** A server that keeps expiring what it has answered is not listed more often. */
const MIN_RELIST_MS = 5_000;

/** How long a reflector waits after each failure. */
export class Pace {
  readonly #clock: Clock;
  readonly #random: Random;
  /** Failed steps since the last sign of progress. */
  #failures = 0;
  #listedAtMs = -Infinity;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** A watch has lasted. */
  progressed(): void {
    this.#failures = 0;
  }

  /** A list is complete. */
  listed(): void {
    this.#listedAtMs = this.#clock.nowMs();
  }

  /**
   * Counts a failure and returns how long to wait, in milliseconds: as the
   * failures so far and the server demand. The first list after an expired
   * watch comes at once, unless the last one was only just taken.
   */
  failed(error: unknown, relist: boolean): number {
    this.#failures += 1;
    const relistMs = relist ? this.#listedAtMs + MIN_RELIST_MS - this.#clock.nowMs() : 0;
    if (relist && relistMs <= 0 && this.#failures === 1) return 0;
    const serverMs = isApiError(error) ? (error.retryAfterMs ?? 0) : 0;
    return Math.max(serverMs, relistMs, backoffDelayMs(this.#failures, BACKOFF, this.#random));
  }
}
