import type { Dispatcher } from "undici";

interface Slot {
  readonly dispatcher: Dispatcher;
  inFlight: number;
}

/**
 * A bounded number of connections, of which as few as possible are used: one
 * request after the other goes over the same one. (undici's own Pool opens a
 * second connection when a request follows in the very turn in which the
 * answer before it ended.)
 */
export class SharedConnections {
  readonly #create: () => Dispatcher;
  readonly #limit: number;
  readonly #slots: Slot[] = [];

  /** @param create makes a dispatcher that holds one connection and queues what is more */
  constructor(create: () => Dispatcher, limit: number) {
    this.#create = create;
    this.#limit = limit;
  }

  /** Runs `use` with the connection that has the least to do; a new one only if all are busy. */
  async run<T>(use: (dispatcher: Dispatcher) => Promise<T>): Promise<T> {
    const slot = this.#pick();
    slot.inFlight += 1;
    try {
      return await use(slot.dispatcher);
    } finally {
      slot.inFlight -= 1;
    }
  }

  /** Lets what is under way end, then closes the connections. */
  async close(): Promise<void> {
    await Promise.all(this.#slots.map(async ({ dispatcher }) => await dispatcher.close()));
  }

  /** Closes the connections; what is under way fails. */
  async destroy(): Promise<void> {
    await Promise.all(this.#slots.map(async ({ dispatcher }) => await dispatcher.destroy()));
  }

  #pick(): Slot {
    const idle = this.#slots.find(({ inFlight }) => inFlight === 0);
    if (idle !== undefined) return idle;
    if (this.#slots.length < this.#limit) {
      const slot = { dispatcher: this.#create(), inFlight: 0 };
      this.#slots.push(slot);
      return slot;
    }
    return this.#slots.reduce((least, slot) => (slot.inFlight < least.inFlight ? slot : least));
  }
}
