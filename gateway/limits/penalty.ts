/** The first one lasts this long, each further one twice as long as the one before. */
const FIRST_MS = 1000;
/** After this many times as long without an offence, the next penalty is a first one again. */
const FORGIVEN_AFTER = 4;

/** How long somebody who floods again and again is kept out: a session costs a handshake, and brings a new burst. */
export class Penalty {
  readonly #maxMs: number;
  readonly #nowMs: () => number;
  #lastMs = 0;
  #endsAtMs = Number.NEGATIVE_INFINITY;

  /** No penalty is longer than `maxMs`. */
  constructor(options: { maxMs: number; nowMs: () => number }) {
    this.#maxMs = options.maxMs;
    this.#nowMs = options.nowMs;
  }

  get active(): boolean {
    // A wall clock that was set back must not keep anybody out for longer.
    const leftMs = this.#endsAtMs - this.#nowMs();
    return leftMs > 0 && leftMs <= this.#lastMs;
  }

  /** There was an offence; while a penalty lasts, another one adds nothing. */
  offend(): void {
    if (this.active) return;
    const nowMs = this.#nowMs();
    const isForgiven = nowMs - this.#endsAtMs >= FORGIVEN_AFTER * this.#lastMs;
    this.#lastMs = Math.min(isForgiven ? FIRST_MS : 2 * this.#lastMs, this.#maxMs);
    this.#endsAtMs = nowMs + this.#lastMs;
  }
}
