import { systemClock } from "../../api/clock.ts";
import { errorMessage } from "../../api/errors.ts";
import type { KubeObject } from "../../api/objects.ts";
import { isApiError } from "../client/api-error.ts";
import { MergedStore } from "./merged-store.ts";
import type { ObjectCache } from "./object-cache.ts";
import { Reflector, type ReflectorOptions, type ReflectorState } from "./reflector.ts";
import type { ReflectorEvent, Store } from "./store.ts";

/** One namespace of a {@link NamespacedCache}. */
export interface NamespacePart {
  readonly namespace: string;
  readonly fieldSelector?: string;
  /** Whether nothing may begin without it; of others it is enough to know that they may not be read. */
  readonly required?: boolean;
}

export type NamespacedCacheOptions<T extends KubeObject> = Omit<
  ReflectorOptions<T>,
  "namespace" | "fieldSelector"
> & {
  /** Of each namespace one at most. */
  parts: readonly NamespacePart[];
};

/** Whether a namespace's objects are known, may not be read, or neither is known yet. */
export type NamespaceReading = "readable" | "denied" | "pending";

/** One watch of the whole cluster, or one in each of `namespaces` where not all of it may be read. */
export function createObjectCache<T extends KubeObject>(
  options: ReflectorOptions<T>,
  namespaces: readonly string[] | undefined,
): ObjectCache<T> {
  if (namespaces === undefined) return new Reflector<T>(options);
  return new NamespacedCache<T>({
    ...options,
    parts: namespaces.map((namespace) => ({ namespace })),
  });
}

/** API servers say 403 while they start, too: a denial counts once it has lasted this long. */
const DENIAL_SETTLED_MS = 2_000;
const POLL_MS = 50;

/**
 * Keeps a local copy of a resource in some namespaces, with one watch in each,
 * for those who may not watch the whole cluster. A namespace that does not
 * exist or may not be read is told once in the log, asked for again with
 * backoff, and holds nobody up.
 */
export class NamespacedCache<T extends KubeObject> implements ObjectCache<T> {
  readonly #options: NamespacedCacheOptions<T>;
  readonly #reflectors: ReadonlyMap<string, Reflector<T>>;
  readonly #store: MergedStore<T>;
  /** Since when a namespace may not be read. */
  readonly #deniedSinceMs = new Map<string, number>();
  readonly #changeListeners = new Set<() => void>();
  #synced = false;
  #stopped = false;

  constructor(options: NamespacedCacheOptions<T>) {
    this.#options = options;
    const { parts, ...shared } = options;
    this.#reflectors = new Map(
      parts.map(({ namespace, fieldSelector }) => {
        const reflector = new Reflector<T>({
          ...shared,
          namespace,
          ...(fieldSelector !== undefined && { fieldSelector }),
          name: `${options.name}/${namespace}`,
          quietDenials: true,
        });
        reflector.onState((state, error) => this.#noteState(namespace, state, error));
        return [namespace, reflector];
      }),
    );
    this.#store = new MergedStore(
      new Map([...this.#reflectors].map(([namespace, { store }]) => [namespace, store])),
    );
  }

  get store(): Store<T> {
    return this.#store;
  }

  /** The reflector of each namespace. */
  get reflectors(): ReadonlyMap<string, Reflector<T>> {
    return this.#reflectors;
  }

  /** Whether each namespace was listed once or, unless it is required, is known to be denied. */
  get synced(): boolean {
    this.#synced ||= this.#options.parts.every(
      ({ namespace, required }) =>
        this.#reflectors.get(namespace)?.synced === true ||
        (required !== true && this.readingOf(namespace) === "denied"),
    );
    return this.#synced;
  }

  /** What can be said of a namespace; one that was listed and may not be read any more is denied. */
  readingOf(namespace: string): NamespaceReading {
    const sinceMs = this.#deniedSinceMs.get(namespace);
    if (sinceMs !== undefined && this.#nowMs() - sinceMs >= DENIAL_SETTLED_MS) return "denied";
    return this.#reflectors.get(namespace)?.synced === true ? "readable" : "pending";
  }

  onEvent(listener: (event: ReflectorEvent<T>) => void): () => void {
    const ends = [...this.#reflectors.values()].map((reflector) => reflector.onEvent(listener));
    return () => ends.forEach((end) => end());
  }

  /** Calls `listener` after each answer that may change a reading; returns how to end that. */
  onReading(listener: () => void): () => void {
    this.#changeListeners.add(listener);
    return () => this.#changeListeners.delete(listener);
  }

  async waitForSync(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { clock = systemClock, name } = this.#options;
    while (!this.synced) {
      await clock.sleep(POLL_MS, signal);
      if (this.#stopped) throw new Error(`${name} was stopped`);
    }
  }

  async start(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#reflectors.values()].map((reflector) => reflector.start(signal)));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#reflectors.values()].map((reflector) => reflector.stop()));
  }

  #noteState(namespace: string, state: ReflectorState, error: unknown): void {
    const { logger, name } = this.#options;
    if (isApiError(error, 403)) {
      if (!this.#deniedSinceMs.has(namespace)) {
        this.#deniedSinceMs.set(namespace, this.#nowMs());
        const denial = { cache: name, namespace, error: errorMessage(error) };
        logger?.warn(denial, "namespace cannot be read: it does not exist, or lacks a RoleBinding");
      }
    } else if (state === "watching") {
      if (this.#deniedSinceMs.delete(namespace)) {
        logger?.info({ cache: name, namespace }, "namespace can be read now");
      }
    } else {
      return;
    }
    for (const listener of this.#changeListeners) listener();
  }

  #nowMs(): number {
    return (this.#options.clock ?? systemClock).nowMs();
  }
}
