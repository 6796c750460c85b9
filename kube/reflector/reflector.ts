import { type Clock, type Random, systemClock } from "../../api/clock.ts";
import { errorMessage } from "../../api/errors.ts";
import { type KubeObject, keyOf } from "../../api/objects.ts";
import type { Resource } from "../../api/resources.ts";
import { isApiError, reasonOf } from "../client/api-error.ts";
import type { KubeClient } from "../client/client.ts";
import {
  type Change,
  DEFAULT_BOUNDS,
  type ListBounds,
  ListWatch,
  type Phase,
  tooMany,
} from "./list-watch.ts";
import type { Logger } from "../logger.ts";
import type { KubeMetrics } from "../metrics.ts";
import type { ObjectCache } from "./object-cache.ts";
import { Pace } from "./pace.ts";
import { ObjectStore, type ReflectorEvent, type Store } from "./store.ts";

export type { ReflectorEvent } from "./store.ts";

export type ReflectorState = "idle" | "listing" | "watching" | "backoff" | "stopped";

export interface ReflectorOptions<T extends KubeObject> {
  client: KubeClient;
  resource: Resource;
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  /**
   * What to keep of an object, undefined for nothing (a kept object that
   * becomes undefined is a delete). When it throws, what was kept before stays.
   */
  transform?: (raw: KubeObject) => T | undefined;
  /** Objects per page of a list; 500 when absent. */
  pageSize?: number;
  bounds?: Partial<ListBounds>;
  /** A watch silent for this long is opened anew; 75 s when absent, as bookmarks come every minute. */
  idleDeadlineMs?: number;
  clock?: Clock;
  random?: Random;
  logger?: Logger;
  /** Whether somebody else tells that reading is forbidden: that may be so for ever. */
  quietDenials?: boolean;
  /** In logs and metrics. */
  name: string;
  metrics?: KubeMetrics;
}

export type StateListener = (state: ReflectorState, error?: unknown) => void;

/**
 * Keeps a local copy of a resource: lists it page by page, watches it, and
 * goes on through every failure until it is stopped. Each difference reaches
 * the listeners exactly once, after the store shows it; changes made while
 * nothing could be watched are found by the next list.
 */
export class Reflector<T extends KubeObject> implements ObjectCache<T> {
  readonly #options: ReflectorOptions<T>;
  readonly #clock: Clock;
  readonly #pace: Pace;
  readonly #bounds: ListBounds;
  readonly #listWatch: ListWatch<T>;
  readonly #store = new ObjectStore<T>();
  readonly #eventListeners = new Set<(event: ReflectorEvent<T>) => void>();
  readonly #stateListeners = new Set<StateListener>();
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #state: ReflectorState = "idle";
  #synced = false;
  #lastByteAtMs: number | undefined;
  #lastError: unknown;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const { random = Math.random } = options;
    this.#pace = new Pace(this.#clock, random);
    this.#bounds = { ...DEFAULT_BOUNDS, ...options.bounds };
    const { namespace, labelSelector, fieldSelector } = options;
    this.#listWatch = new ListWatch({
      client: options.client,
      resource: options.resource,
      selection: {
        ...(namespace !== undefined && { namespace }),
        ...(labelSelector !== undefined && { labelSelector }),
        ...(fieldSelector !== undefined && { fieldSelector }),
      },
      pageSize: options.pageSize ?? 500,
      bounds: this.#bounds,
      idleDeadlineMs: options.idleDeadlineMs ?? 75_000,
      clock: this.#clock,
      random,
      keep: (raw) => this.#keep(raw),
      onHeard: () => this.#heard(),
    });
  }

  get store(): Store<T> {
    return this.#store;
  }

  get state(): ReflectorState {
    return this.#state;
  }

  /** Whether the store has held a complete list since the start. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Wall-clock time at which a page, a watch's head, an event or a bookmark last arrived whole. */
  get lastByteAtMs(): number | undefined {
    return this.#lastByteAtMs;
  }

  /** What the last step failed with; undefined again once a list or watch works. */
  get lastError(): unknown {
    return this.#lastError;
  }

  /** Calls `listener` for every change from now on; returns how to end that. */
  onEvent(listener: (event: ReflectorEvent<T>) => void): () => void {
    this.#eventListeners.add(listener);
    return () => this.#eventListeners.delete(listener);
  }

  /** Calls `listener` with every new state, and the error of a backoff; returns how to end that. */
  onState(listener: StateListener): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  /**
   * Resolves once the first list is complete.
   *
   * @throws the signal's reason when it aborts first, or an Error when the reflector is stopped first
   */
  async waitForSync(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#synced) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = (): void => reject(signal.reason);
    const check = (): void => {
      if (this.#synced) resolve();
      else if (this.#state === "stopped") reject(new Error(`${this.#options.name} was stopped`));
    };
    const unsubscribe = this.onState(check);
    signal.addEventListener("abort", abort, { once: true });
    check();
    try {
      await promise;
    } finally {
      unsubscribe();
      signal.removeEventListener("abort", abort);
    }
  }

  async start(signal: AbortSignal): Promise<void> {
    if (this.#running !== undefined) throw new Error(`${this.#options.name} was started before`);
    signal.throwIfAborted();
    const stop = (): void => this.#stopping.abort(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    this.#running = this.#run(this.#stopping.signal).finally(() => {
      signal.removeEventListener("abort", stop);
      this.#options.metrics?.reflectorLastByte.remove({ reflector: this.#options.name });
      this.#options.metrics?.reflectorObjects.remove({ reflector: this.#options.name });
      this.#enter("stopped");
    });
    await Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new DOMException("stopped", "AbortError"));
    if (this.#running === undefined) this.#enter("stopped");
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    let phase: Phase<T> = { name: "empty" };
    while (!signal.aborted) {
      if (phase.name === "empty" || phase.name === "listing") this.#enter("listing");
      try {
        const step = await this.#listWatch.step(phase, signal);
        const ended = phase.name === "watching" && step.phase.name !== "watching";
        phase = step.phase;
        this.#apply(step.change);
        if (step.progress) this.#pace.progressed();
        else if (ended) await this.#backOff(undefined, signal);
      } catch (error) {
        if (signal.aborted) break;
        const before: Phase<T> = phase;
        if (this.#listWatch.hasWorked(before)) this.#pace.progressed();
        phase = this.#listWatch.recover(before, error);
        const relist = phase.name === "empty" && before.name !== "empty";
        await this.#backOff(error, signal, relist);
      }
    }
    if (phase.name === "watching") phase.watch.close();
  }

  #heard(): void {
    const { metrics, name } = this.#options;
    this.#lastByteAtMs = this.#clock.nowMs();
    metrics?.reflectorLastByte.set({ reflector: name }, this.#lastByteAtMs / 1000);
    // A list would have left this state already: the head of a reopened watch has come.
    if (this.#state === "backoff") {
      this.#lastError = undefined;
      this.#enter("watching");
    }
  }

  #apply(change: Change<T>): void {
    switch (change.type) {
      case "none":
        return;
      case "replace": {
        const events = this.#store.replace(change.entries);
        this.#synced = true;
        this.#pace.listed();
        this.#lastError = undefined;
        this.#options.metrics?.reflectorRelists.inc({ reflector: this.#options.name });
        this.#enter("watching");
        this.#emit(events);
        return;
      }
      case "apply":
        this.#assertRoom(change.key);
        this.#emit(this.#store.apply(change.key, change.entry));
        return;
      case "delete":
        this.#emit(this.#store.delete(change.key));
        return;
    }
  }

  #assertRoom(key: string): void {
    const { maxObjects } = this.#bounds;
    if (this.#store.size < maxObjects || this.#store.get(key) !== undefined) return;
    const { client, resource } = this.#options;
    throw tooMany(client, `there are more than ${maxObjects} ${resource.plural} to be kept`);
  }

  async #backOff(error: unknown, signal: AbortSignal, relist = false): Promise<void> {
    const { logger, metrics, name, quietDenials } = this.#options;
    if (error !== undefined) {
      this.#lastError = error;
      metrics?.reflectorErrors.inc({ reflector: name, reason: reasonOf(error) });
    }
    const delayMs = this.#pace.failed(error, relist);
    if (delayMs === 0) return;
    const what = errorMessage(error ?? "watch ended at once");
    const quiet = quietDenials === true && isApiError(error, 403);
    if (!quiet) logger?.warn({ reflector: name, delayMs, error: what }, "watch interrupted");
    this.#enter("backoff", error);
    try {
      await this.#clock.sleep(delayMs, signal);
    } catch {
      // Stopped while waiting; the loop sees the signal.
    }
  }

  #keep(raw: KubeObject): T | undefined {
    const { transform, logger, name } = this.#options;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- without a transform T is the type of the resource's objects
    if (transform === undefined) return raw as T;
    try {
      return transform(raw);
    } catch (error) {
      const object = keyOf(raw);
      logger?.error({ err: error, reflector: name, object }, "object not understood");
      return this.#store.get(object);
    }
  }

  #emit(events: readonly ReflectorEvent<T>[]): void {
    const { metrics, name } = this.#options;
    metrics?.reflectorObjects.set({ reflector: name }, this.#store.size);
    for (const event of events) {
      metrics?.reflectorEvents.inc({ reflector: name, type: event.type });
      for (const listener of this.#eventListeners) this.#call(() => listener(event));
    }
  }

  #enter(state: ReflectorState, error?: unknown): void {
    if (this.#state === state && state !== "backoff") return;
    this.#state = state;
    for (const listener of this.#stateListeners) this.#call(() => listener(state, error));
  }

  /** A listener that throws must not end the watch or starve the other listeners. */
  #call(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.#options.logger?.error({ err: error, reflector: this.#options.name }, "listener failed");
    }
  }
}
