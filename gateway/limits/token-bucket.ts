/** Allows so many events a second in the long run, and `burst` of them at once. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #nowMs: () => number;
  #tokens: number;
  #filledAtMs: number;

  constructor(options: { perSecond: number; burst: number; nowMs: () => number }) {
    this.#perSecond = options.perSecond;
    this.#burst = options.burst;
    this.#nowMs = options.nowMs;
    this.#tokens = options.burst;
    this.#filledAtMs = options.nowMs();
  }

  /** Takes `count` tokens; false, and none taken, when there are not as many. */
  take(count = 1): boolean {
    const nowMs = this.#nowMs();
    // A wall clock may be set back.
    const passedMs = Math.max(nowMs - this.#filledAtMs, 0);
    this.#filledAtMs = nowMs;
    this.#tokens = Math.min(this.#burst, this.#tokens + (passedMs / 1000) * this.#perSecond);
    if (this.#tokens < count) return false;
    this.#tokens -= count;
    return true;
  }
}
