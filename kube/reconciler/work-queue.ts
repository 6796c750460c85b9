import type { Clock, Random } from "../../api/clock.ts";
import { backoffDelayMs, type BackoffLimits } from "../backoff.ts";

/** What a reconciler is asked to look at: a key, never an event. */
export interface Request {
  /** Who it is for: groups (links) get their turn one after the other. "" for none. */
  readonly group: string;
  readonly key: string;
  /** Comes before the other requests of its group. */
  readonly urgent?: boolean;
}

export interface WorkQueueOptions {
  clock: Clock;
  random: Random;
  /**
   * How many workers take from the queue. A group then never has more of them
   * than are free, so that the slow requests of one leave some for the others.
   * Without it, and for the group "", there is no such bound.
   */
  workers?: number;
  /** Of `retry`; 0.2 s to 5 min when absent. */
  backoff?: BackoffLimits;
  onDepth?: (depth: number) => void;
}

interface Delayed {
  readonly dueMs: number;
  readonly cancel: AbortController;
}

/** The waiting requests of one group, by id. */
interface Waiting {
  readonly urgent: Map<string, Request>;
  readonly other: Map<string, Request>;
}

const BACKOFF: BackoffLimits = { baseMs: 200, maxMs: 5 * 60_000 };

/**
 * Requests waiting for workers. A request that waits is held once however
 * often it is added; one that is being worked on is held back until `done`,
 * then handed out once more if it was added meanwhile. Groups take turns, and
 * share the workers by dynamic thresholds (Choudhury and Hahne, 1998).
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  /** Waiting requests by group; the order of groups is the order of their turns. */
  readonly #waiting = new Map<string, Waiting>();
  readonly #processing = new Set<string>();
  /** How many requests of each group are being worked on. */
  readonly #active = new Map<string, number>();
  /** Added while being processed. */
  readonly #again = new Map<string, Request>();
  readonly #delayed = new Map<string, Delayed>();
  readonly #failures = new Map<string, number>();
  readonly #idleWorkers: ((request: Request | undefined) => void)[] = [];
  #depth = 0;
  #closed = false;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /** Requests that wait for a worker. */
  get depth(): number {
    return this.#depth;
  }

  /** Adds a request, unless it waits already; one that waits can become urgent. */
  add(request: Request): void {
    if (this.#closed) return;
    const id = idOf(request);
    if (this.#processing.has(id)) {
      this.#again.set(id, moreUrgent(request, this.#again.get(id)));
      return;
    }
    const waiting = this.#waiting.get(request.group) ?? { urgent: new Map(), other: new Map() };
    this.#waiting.set(request.group, waiting);
    if (waiting.urgent.has(id)) return;
    const isNew = !waiting.other.has(id);
    if (request.urgent === true) {
      waiting.other.delete(id);
      waiting.urgent.set(id, request);
    } else if (isNew) waiting.other.set(id, request);
    if (isNew) this.#setDepth(this.#depth + 1);
    this.#handOut();
  }

  /** Adds a request after `delayMs`; of several delays for one request the earliest counts. */
  addAfter(request: Request, delayMs: number): void {
    if (this.#closed) return;
    if (delayMs <= 0) {
      this.add(request);
      return;
    }
    const id = idOf(request);
    const dueMs = this.#options.clock.nowMs() + delayMs;
    const before = this.#delayed.get(id);
    if (before !== undefined && before.dueMs <= dueMs) return;
    before?.cancel.abort();
    const delayed = { dueMs, cancel: new AbortController() };
    this.#delayed.set(id, delayed);
    void this.#addWhenDue(request, delayMs, delayed);
  }

  /** Adds a request after a delay that grows with each `retry` until `forget`; returns the delay in milliseconds. */
  retry(request: Request): number {
    const id = idOf(request);
    const failures = (this.#failures.get(id) ?? 0) + 1;
    this.#failures.set(id, failures);
    const { backoff = BACKOFF, random } = this.#options;
    const delayMs = backoffDelayMs(failures, backoff, random);
    this.addAfter(request, delayMs);
    return delayMs;
  }

  /** Ends the memory of a request's failures. */
  forget(request: Request): void {
    this.#failures.delete(idOf(request));
  }

  /** Waits for a request to work on; undefined once the queue is closed. Each one needs a `done`. */
  async take(): Promise<Request | undefined> {
    if (this.#closed) return undefined;
    return await new Promise((resolve) => {
      this.#idleWorkers.push(resolve);
      this.#handOut();
    });
  }

  /** A worker has finished with what it took, and may take again. */
  done(request: Request): void {
    const id = idOf(request);
    if (!this.#processing.delete(id)) return;
    const active = (this.#active.get(request.group) ?? 1) - 1;
    if (active === 0) this.#active.delete(request.group);
    else this.#active.set(request.group, active);
    const again = this.#again.get(id);
    this.#again.delete(id);
    if (again !== undefined) this.add(again);
  }

  /** Drops what waits and releases the workers; later adds do nothing. */
  close(): void {
    this.#closed = true;
    for (const { cancel } of this.#delayed.values()) cancel.abort();
    this.#delayed.clear();
    this.#waiting.clear();
    this.#again.clear();
    this.#failures.clear();
    this.#setDepth(0);
    for (const worker of this.#idleWorkers.splice(0)) worker(undefined);
  }

  async #addWhenDue(request: Request, delayMs: number, delayed: Delayed): Promise<void> {
    try {
      await this.#options.clock.sleep(delayMs, delayed.cancel.signal);
    } catch {
      return;
    }
    if (this.#delayed.get(idOf(request)) !== delayed) return;
    this.#delayed.delete(idOf(request));
    this.add(request);
  }

  #handOut(): void {
    while (this.#idleWorkers.length > 0) {
      const request = this.#next();
      if (request === undefined) return;
      this.#processing.add(idOf(request));
      this.#active.set(request.group, (this.#active.get(request.group) ?? 0) + 1);
      this.#setDepth(this.#depth - 1);
      this.#idleWorkers.shift()?.(request);
    }
  }

  /** Takes the next request out of those that wait: of the first group in line that may have a worker. */
  #next(): Request | undefined {
    for (const [name, { urgent, other }] of this.#waiting) {
      if (!this.#mayHaveWorker(name)) continue;
      const from = urgent.size > 0 ? urgent : other;
      const [first] = from;
      if (first === undefined) continue;
      const [id, request] = first;
      from.delete(id);
      // To the end of the line: the other groups come first.
      this.#waiting.delete(name);
      if (urgent.size + other.size > 0) this.#waiting.set(name, { urgent, other });
      return request;
    }
    return undefined;
  }

  #mayHaveWorker(group: string): boolean {
    const { workers } = this.#options;
    if (workers === undefined || group === "") return true;
    return (this.#active.get(group) ?? 0) < workers - this.#processing.size;
  }

  #setDepth(depth: number): void {
    this.#depth = depth;
    this.#options.onDepth?.(depth);
  }
}

function moreUrgent(request: Request, waiting: Request | undefined): Request {
  return waiting?.urgent === true ? waiting : request;
}

function idOf({ group, key }: Request): string {
  return `${group}\0${key}`;
}
