import type { Clock } from "../../api/clock.ts";
import { errorMessage } from "../../api/errors.ts";
import type { KubeObject, Namespace } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import { isApiError } from "../../kube/client/api-error.ts";
import type { KubeClient } from "../../kube/client/client.ts";
import type { Logger } from "../../kube/logger.ts";
import type { NamespaceReading } from "../../kube/reflector/namespaced-cache.ts";
import type { ObjectCache } from "../../kube/reflector/object-cache.ts";
import { ObjectStore, type ReflectorEvent, type Store } from "../../kube/reflector/store.ts";

/** The namespaces of the own cluster, as far as they may be worked in. */
export interface NamespaceCache extends ObjectCache<Namespace> {
  /** The only ones that mirrors and failover may be in; undefined: all. */
  readonly only?: ReadonlySet<string> | undefined;
}

export interface ListedNamespacesOptions {
  client: KubeClient;
  names: readonly string[];
  /** Whether what is in the namespace has been listed and may be read. */
  readingOf: (name: string) => NamespaceReading;
  transform: (raw: KubeObject) => Namespace;
  clock: Clock;
  logger?: Logger | undefined;
}

/** How soon a label, or the end of a namespace, is noticed. */
const LOOK_PERIOD_MS = 10_000;
const POLL_MS = 50;

/**
 * The listed namespaces, each asked for by its name: a Role in a namespace may
 * grant `get` of that namespace, but no watch, which takes a right in the whole
 * cluster. One whose objects cannot be read is not there.
 */
export class ListedNamespaces implements NamespaceCache {
  readonly only: ReadonlySet<string>;
  readonly #options: ListedNamespacesOptions;
  readonly #store = new ObjectStore<Namespace>();
  readonly #listeners = new Set<(event: ReflectorEvent<Namespace>) => void>();
  readonly #stopping = new AbortController();
  readonly #answered = new Set<string>();
  #pause = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: ListedNamespacesOptions) {
    this.#options = options;
    this.only = new Set(options.names);
  }

  get store(): Store<Namespace> {
    return this.#store;
  }

  get synced(): boolean {
    return this.#answered.size === this.only.size;
  }

  onEvent(listener: (event: ReflectorEvent<Namespace>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Has it look at all of them now. */
  look(): void {
    this.#pause.abort();
  }

  async waitForSync(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (!this.synced) {
      await this.#options.clock.sleep(POLL_MS, signal);
      if (this.#stopping.signal.aborted) throw new Error("namespaces was stopped");
    }
  }

  async start(signal: AbortSignal): Promise<void> {
    this.#running = this.#run(AbortSignal.any([signal, this.#stopping.signal]));
    await Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    signal.addEventListener("abort", () => this.look(), { once: true });
    while (!signal.aborted) {
      this.#pause = new AbortController();
      for (const name of this.only) await this.#lookAt(name, signal);
      // Woken early: see look().
      await clock.sleep(LOOK_PERIOD_MS, this.#pause.signal).catch(() => {});
    }
  }

  async #lookAt(name: string, signal: AbortSignal): Promise<void> {
    const { client, readingOf, transform, logger } = this.#options;
    const reading = readingOf(name);
    if (reading === "pending") return;
    try {
      const found =
        reading === "readable"
          ? await client.find<Namespace>(RESOURCES.namespaces, { name }, { signal })
          : undefined;
      if (found === undefined) this.#emit(this.#store.delete(name));
      else {
        const { resourceVersion = "" } = found.metadata;
        this.#emit(this.#store.apply(name, { resourceVersion, object: transform(found) }));
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isApiError(error, 403)) this.#emit(this.#store.delete(name));
      // What was seen stands while the API server gives no answer.
      else logger?.warn({ namespace: name, error: errorMessage(error) }, "namespace not looked at");
    }
    this.#answered.add(name);
  }

  #emit(events: readonly ReflectorEvent<Namespace>[]): void {
    for (const event of events) for (const listener of this.#listeners) listener(event);
  }
}
