import type { Dispatcher } from "undici";

/** One connection at most, for one request after the other. */
export interface Connection {
  readonly dispatcher: Dispatcher;
  /** Ends it with a TCP reset, where that is possible. */
  readonly reset: () => void;
}

interface Slot {
  readonly connection: Connection;
  inFlight: number;
}

/**
 * A bounded number of connections, of which as few as possible are used: one
 * request after the other goes over the same one. (undici's own Pool opens a
 * second connection when a request follows in the very turn in which the
 * answer before it ended.)
 */
export class SharedConnections {
  readonly #create: () => Connection;
  readonly #limit: number;
  readonly #slots: Slot[] = [];

  /** @param create makes a connection, whose dispatcher queues what is more */
  constructor(create: () => Connection, limit: number) {
    this.#create = create;
    this.#limit = limit;
  }

  /** Runs `use` with the connection that has the least to do; a new one only if all are busy. */
  async run<T>(use: (connection: Connection) => Promise<T>): Promise<T> {
    const slot = this.#pick();
    slot.inFlight += 1;
    try {
      return await use(slot.connection);
    } finally {
      slot.inFlight -= 1;
    }
  }

  /** Lets what is under way end, then closes the connections. */
  async close(): Promise<void> {
    await Promise.all(
      this.#slots.map(async ({ connection }) => await connection.dispatcher.close()),
    );
  }

  /** Closes the connections; what is under way fails. */
  async destroy(): Promise<void> {
    await Promise.all(
      this.#slots.map(async ({ connection }) => await connection.dispatcher.destroy()),
    );
  }

  #pick(): Slot {
    const idle = this.#slots.find(({ inFlight }) => inFlight === 0);
    if (idle !== undefined) return idle;
    if (this.#slots.length < this.#limit) {
      const slot = { connection: this.#create(), inFlight: 0 };
      this.#slots.push(slot);
      return slot;
    }
    return this.#slots.reduce((least, slot) => (slot.inFlight < least.inFlight ? slot : least));
  }
}
