/** One line for each key in this time: a flood must not flood the log. */
const LOG_INTERVAL_MS = 10_000;

/** Decides which lines about things that may come in floods are written. */
export class LogThrottle {
  readonly #nowMs: () => number;
  readonly #written = new Map<string, { atMs: number; unlogged: number }>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /**
   * How many lines of this key were left out since the last that was written;
   * undefined when this one is to be left out, too. Keys are kept for ever:
   * there must be few.
   */
  unlogged(key: string): number | undefined {
    const nowMs = this.#nowMs();
    const last = this.#written.get(key);
    // A wall clock may be set back.
    if (last !== undefined && Math.abs(nowMs - last.atMs) < LOG_INTERVAL_MS) {
      last.unlogged += 1;
      return undefined;
    }
    this.#written.set(key, { atMs: nowMs, unlogged: 0 });
    return last?.unlogged ?? 0;
  }
}
