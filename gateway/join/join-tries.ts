import { TokenBucket } from "../limits/token-bucket.ts";

/** Nobody is known before a try, so these hold for all together, and for each address. */
const TRIES_PER_SECOND = 20;
const TRIES_BURST = 40;
const ADDRESS_TRIES_PER_SECOND = 2;
const ADDRESS_TRIES_BURST = 10;
/** So many addresses are told apart; then all begin anew. */
const MAX_ADDRESSES = 1024;

/** How often somebody may try to use a join token: before any cryptography is done for it. */
export class JoinTries {
  readonly #all: TokenBucket;
  readonly #byAddress = new Map<string, TokenBucket>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#all = new TokenBucket({ perSecond: TRIES_PER_SECOND, burst: TRIES_BURST, nowMs });
  }

  /** Whether this address may try now; a try that may not be costs the others nothing. */
  take(address: string): boolean {
    const own = this.#byAddress.get(address) ?? this.#begin(address);
    return own.take() && this.#all.take();
  }

  #begin(address: string): TokenBucket {
    if (this.#byAddress.size >= MAX_ADDRESSES) this.#byAddress.clear();
    const bucket = new TokenBucket({
      perSecond: ADDRESS_TRIES_PER_SECOND,
      burst: ADDRESS_TRIES_BURST,
      nowMs: this.#nowMs,
    });
    this.#byAddress.set(address, bucket);
    return bucket;
  }
}
