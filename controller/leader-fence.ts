import { NotSentError } from "../kube/client/api-error.ts";
import type { KubeClient, WriteOptions } from "../kube/client/client.ts";

/** A write was asked for by a replica that is not, or no longer, the leader. */
export class NotLeaderError extends NotSentError {
  override readonly name = "NotLeaderError";

  constructor() {
    super("not the leader: the write is not sent, or taken back");
  }
}

/**
 * Keeps the writes of one term inside it. Each asks `isLeader` in the moment
 * it is put on the wire, against the clocks: a process that was stopped for
 * longer than its Lease resumes with writes in hand, some of them past every
 * check but this one, before any timer has fired.
 */
export class LeaderFence {
  readonly #isLeader: () => boolean;
  /** What was asked for and has not ended, and which of it is on the wire. */
  readonly #waiting = new Set<AbortController>();
  readonly #sent = new Set<AbortController>();
  #isCut = false;
  #unanswered = 0;

  constructor(isLeader: () => boolean) {
    this.#isLeader = isLeader;
  }

  /** Whether no write was cut off on the wire: one that was may still reach the server. */
  get settled(): boolean {
    return this.#unanswered === 0;
  }

  /** Ends the term: what is on the wire is taken back as far as it can be, nothing more is sent. */
  cut(): void {
    this.#isCut = true;
    this.#unanswered += this.#sent.size;
    for (const write of [...this.#sent, ...this.#waiting]) write.abort(new NotLeaderError());
  }

  /** A client that reads always, and writes only inside the term. */
  guard(client: KubeClient): KubeClient {
    return {
      server: client.server,
      get: async (...call) => await client.get(...call),
      find: async (...call) => await client.find(...call),
      list: async (...call) => await client.list(...call),
      watch: (...call) => client.watch(...call),
      create: async (resource, object, options) =>
        await this.#write(options, (fence) =>
          client.create(resource, object, { ...options, ...fence }),
        ),
      apply: async (resource, object, options) =>
        await this.#write(options, (fence) =>
          client.apply(resource, object, { ...options, ...fence }),
        ),
      patch: async (resource, key, body, options) =>
        await this.#write(options, (fence) =>
          client.patch(resource, key, body, { ...options, ...fence }),
        ),
      replace: async (resource, object, options) =>
        await this.#write(options, (fence) =>
          client.replace(resource, object, { ...options, ...fence }),
        ),
      remove: async (resource, key, options) =>
        await this.#write(options, (fence) =>
          client.remove(resource, key, { ...options, ...fence }),
        ),
      request: async (init) =>
        init.method === "GET"
          ? await client.request(init)
          : await this.#write(init, (fence) => client.request({ ...init, ...fence })),
      close: async () => await client.close(),
    };
  }

  /** The caller's signal keeps a write from being sent; once it is, only its answer or `cut` ends it. */
  async #write<T>(
    { signal }: WriteOptions = {},
    send: (fence: Required<WriteOptions>) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    this.#assertLeader();
    const write = new AbortController();
    const beforeSend = (): void => {
      this.#assertLeader();
      this.#waiting.delete(write);
      this.#sent.add(write);
    };
    const onAbort = (): void => {
      if (this.#waiting.has(write)) write.abort(signal?.reason);
    };
    this.#waiting.add(write);
    signal?.addEventListener("abort", onAbort);
    try {
      return await send({ signal: write.signal, beforeSend });
    } finally {
      signal?.removeEventListener("abort", onAbort);
      this.#waiting.delete(write);
      this.#sent.delete(write);
    }
  }

  #assertLeader(): void {
    if (this.#isCut || !this.#isLeader()) throw new NotLeaderError();
  }
}
