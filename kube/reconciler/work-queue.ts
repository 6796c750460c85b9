import type { Clock, Random } from "../../api/clock.ts";
import { backoffDelayMs, type BackoffLimits } from "../backoff.ts";

/** What a reconciler is asked to look at: a key, never an event. */
export interface Request {
  /** Who it is for: groups (links) get their turn one after the other. "" for none. */
  readonly group: string;
  readonly key: string;
}

export interface WorkQueueOptions {
  clock: Clock;
  random: Random;
  /** Of `retry`; 0.2 s to 5 min when absent. */
  backoff?: BackoffLimits;
  onDepth?: (depth: number) => void;
}

interface Delayed {
  readonly dueMs: number;
  readonly cancel: AbortController;
}

const BACKOFF: BackoffLimits = { baseMs: 200, maxMs: 5 * 60_000 };

/**
 * Requests waiting for workers. A request that waits is held once however
 * often it is added; one that is being worked on is held back until `done`,
 * then handed out once more if it was added meanwhile. Groups take turns.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  /** Waiting requests by group; the order of groups is the order of their turns. */
  readonly #waiting = new Map<string, Map<string, Request>>();
  readonly #processing = new Set<string>();
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

  /** Requests that a worker could take now. */
  get depth(): number {
    return this.#depth;
  }

  /** Adds a request, unless it waits already. */
  add(request: Request): void {
    if (this.#closed) return;
    const id = idOf(request);
    if (this.#processing.has(id)) {
      this.#again.set(id, request);
      return;
    }
    const group = this.#waiting.get(request.group);
    if (group?.has(id) === true) return;
    const worker = this.#idleWorkers.shift();
    if (worker !== undefined) {
      this.#processing.add(id);
      worker(request);
      return;
    }
    if (group === undefined) this.#waiting.set(request.group, new Map([[id, request]]));
    else group.set(id, request);
    this.#setDepth(this.#depth + 1);
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
    const next = this.#waiting.entries().next();
    if (next.done === true) {
      return await new Promise((resolve) => this.#idleWorkers.push(resolve));
    }
    const [name, group] = next.value;
    const first = group.entries().next();
    this.#waiting.delete(name);
    if (first.done === true) return await this.take();
    const [id, request] = first.value;
    group.delete(id);
    // To the end of the line: the other groups come first.
    if (group.size > 0) this.#waiting.set(name, group);
    this.#processing.add(id);
    this.#setDepth(this.#depth - 1);
    return request;
  }

  /** A worker has finished with what it took. */
  done(request: Request): void {
    const id = idOf(request);
    this.#processing.delete(id);
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

  #setDepth(depth: number): void {
    this.#depth = depth;
    this.#options.onDepth?.(depth);
  }
}

function idOf({ group, key }: Request): string {
  return `${group}\0${key}`;
}
