/** This part of the whole is kept, in even shares, for those who have less than theirs. */
const RESERVE = 1 / 4;

/** Which bound a holder has reached. */
export type ShareRefusal = "perHolder" | "inAll";

/**
 * Places of one kind, handed out to holders (peers, links): so many each, and
 * so many in all. An even share of a quarter of them is kept for each holder,
 * so that no holder uses up the places of the others.
 */
export class Shares {
  readonly #max: number;
  readonly #holders: () => number;
  readonly #held = new Map<string, number>();
  #inAll = 0;

  /** `holders`: how many there are that may come for places. */
  constructor(options: { max: number; holders: () => number }) {
    this.#max = options.max;
    this.#holders = options.holders;
  }

  get inAll(): number {
    return this.#inAll;
  }

  held(holder: string): number {
    return this.#held.get(holder) ?? 0;
  }

  /** Takes a place, which is to be given back; or says which bound there is. */
  take(holder: string, perHolder: number): ShareRefusal | undefined {
    const held = this.held(holder);
    if (held >= perHolder) return "perHolder";
    const holders = Math.max(this.#holders(), 1);
    const evenShare = (this.#max * RESERVE) / holders;
    const isFree = this.#inAll < this.#max - evenShare * (holders - 1);
    const isOwed = held < Math.max(evenShare, 1);
    if (this.#inAll >= this.#max || !(isFree || isOwed)) return "inAll";
    this.#held.set(holder, held + 1);
    this.#inAll += 1;
    return undefined;
  }

  give(holder: string): void {
    const held = this.held(holder);
    if (held > 1) this.#held.set(holder, held - 1);
    else this.#held.delete(holder);
    this.#inAll -= 1;
  }
}
