import { ANNOTATIONS, LABELS, MANAGED_BY } from "../../api/names.ts";
import { type EndpointSlice, keyOf, type KubeObject, type Service } from "../../api/objects.ts";
import { isOurs } from "../../api/ownership.ts";
import { RESOURCES, type Resource } from "../../api/resources.ts";
import type { KubeClient } from "../../kube/client/client.ts";
import { Reflector } from "../../kube/reflector/reflector.ts";
import { poll } from "../bed/poll.ts";
import { isClosed, readyAddresses } from "../workload/mirror-state.ts";

/** `between`: the Service and its slices do not say the same, as while they are being written. */
export type MirrorState = "open" | "closed" | "between";

interface Seen {
  readonly state: MirrorState;
  readonly sinceMs: number;
}

/**
 * Follows all mirrors of a cluster through one watch of their Services and one of their slices: looking at many costs
 * the API server no more than looking at one.
 */
export class MirrorWatch {
  readonly #services: Reflector<Service>;
  readonly #slices: Reflector<EndpointSlice>;
  readonly #slicesOf = new Map<string, Map<string, EndpointSlice>>();
  readonly #seen = new Map<string, Seen>();
  readonly #stopping = new AbortController();

  private constructor(client: KubeClient) {
    this.#services = reflectorOf<Service>(client, RESOURCES.services);
    this.#slices = reflectorOf<EndpointSlice>(client, RESOURCES.endpointSlices);
    this.#slices.onEvent((event) => {
      const object = event.type === "apply" ? event.object : event.previous;
      const mirror = mirrorKeyOf(object);
      const slices = this.#slicesOf.get(mirror) ?? new Map<string, EndpointSlice>();
      if (event.type === "apply") slices.set(event.key, object);
      else slices.delete(event.key);
      this.#slicesOf.set(mirror, slices);
      this.#look(mirror);
    });
    this.#services.onEvent(({ key }) => this.#look(key));
  }

  /** Begins to watch; resolves once all that exists was seen. */
  static async start(client: KubeClient): Promise<MirrorWatch> {
    const watch = new MirrorWatch(client);
    const { signal } = watch.#stopping;
    for (const reflector of [watch.#slices, watch.#services]) {
      await reflector.start(signal);
      await reflector.waitForSync(signal);
    }
    return watch;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([this.#services.stop(), this.#slices.stop()]);
  }

  /** How many mirrors are in each state. */
  get counts(): Readonly<Record<MirrorState, number>> {
    const counts = { open: 0, closed: 0, between: 0 };
    for (const { state } of this.#seen.values()) counts[state] += 1;
    return counts;
  }

  /** The state of a mirror, `namespace/name`; undefined when there is none. */
  stateOf(mirror: string): MirrorState | undefined {
    return this.#seen.get(mirror)?.state;
  }

  /**
   * Waits until there are `count` mirrors and all are in that state.
   * @returns when the event that made it so arrived, in milliseconds since the epoch.
   * @throws Error with the counts when that takes longer.
   */
  async untilAll(
    state: MirrorState,
    count: number,
    options: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<number> {
    const allSinceMs = () => {
      const seen = [...this.#seen.values()];
      const isSo = seen.length === count && seen.every((each) => each.state === state);
      return isSo ? Math.max(...seen.map(({ sinceMs }) => sinceMs)) : undefined;
    };
    try {
      return await poll(`${count} mirrors ${state}`, allSinceMs, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      const counts = JSON.stringify(this.counts);
      throw new Error(`not all ${count} mirrors became ${state}: ${counts}`, { cause: error });
    }
  }

  #look(mirror: string): void {
    const service = this.#services.store.get(mirror);
    if (service === undefined || !isOurs(service)) {
      this.#seen.delete(mirror);
      return;
    }
    const state = stateOf(service, [...(this.#slicesOf.get(mirror)?.values() ?? [])]);
    if (this.#seen.get(mirror)?.state === state) return;
    this.#seen.set(mirror, { state, sinceMs: Date.now() });
  }
}

function reflectorOf<T extends KubeObject>(client: KubeClient, resource: Resource): Reflector<T> {
  const labelSelector = `${LABELS.managedBy}=${MANAGED_BY}`;
  return new Reflector<T>({ client, resource, labelSelector, name: resource.plural });
}

function mirrorKeyOf({ metadata }: EndpointSlice): string {
  const name = metadata.labels?.[LABELS.serviceName] ?? "";
  return keyOf({ metadata: { ...metadata, name } });
}

function stateOf(service: Service, slices: readonly EndpointSlice[]): MirrorState {
  if (isClosed(slices, service)) return "closed";
  const saysOpen = service.metadata.annotations?.[ANNOTATIONS.state] === "open";
  return saysOpen && readyAddresses(slices).length > 0 ? "open" : "between";
}
