import { ENDPOINT_SLICE_MANAGED_BY, LABELS, MANAGED_BY } from "../api/names.ts";
import type { EndpointSlice, KubeObject } from "../api/objects.ts";
import type { ReflectorEvent } from "../kube/reflector/store.ts";

/** What is kept of a provider's EndpointSlice. */
export interface SliceSummary extends KubeObject {
  /** `namespace/name` of the Service it belongs to. */
  serviceKey: string;
  ready: boolean;
  /** Whether it has an endpoint that a data plane may use: ready, or terminating and serving still (KEP-1669). */
  usable: boolean;
}

/**
 * The summary of a slice, or undefined where it does not count: it belongs to
 * no Service, or Isthmus made it (a mirror or a failover target is not the
 * provider's own endpoint, and counting it could send a request in circles).
 */
export function summariseSlice(raw: KubeObject): SliceSummary | undefined {
  const slice: EndpointSlice = raw;
  const { name, namespace, labels = {} } = slice.metadata;
  const service = labels[LABELS.serviceName] ?? "";
  const ours =
    labels[LABELS.endpointSliceManagedBy] === ENDPOINT_SLICE_MANAGED_BY ||
    labels[LABELS.managedBy] === MANAGED_BY;
  if (namespace === undefined || service === "" || ours) return undefined;
  // An absent condition means ready: discovery.k8s.io/v1, EndpointConditions.
  const endpoints = (slice.endpoints ?? []).filter(({ addresses }) => addresses.length > 0);
  const ready = endpoints.some(({ conditions }) => conditions?.ready !== false);
  const usable =
    ready ||
    endpoints.some(
      ({ conditions }) => conditions?.serving === true && conditions.terminating === true,
    );
  return { metadata: { name, namespace }, serviceKey: `${namespace}/${service}`, ready, usable };
}

/** Which Services have an endpoint that counts, kept up to date slice by slice. */
export class EndpointIndex {
  readonly #counts: (slice: SliceSummary) => boolean;
  /** Keys of the slices with such an endpoint, by Service. */
  readonly #slices = new Map<string, Set<string>>();

  /** @param counts whether a slice has an endpoint that counts: a ready one, if nothing else is said */
  constructor(counts: (slice: SliceSummary) => boolean = ({ ready }) => ready) {
    this.#counts = counts;
  }

  has(serviceKey: string): boolean {
    return this.#slices.has(serviceKey);
  }

  /** Takes a change in and returns the Services whose answer it changed. */
  apply(event: ReflectorEvent<SliceSummary>): string[] {
    const services = new Set<string>();
    if (event.previous !== undefined) services.add(event.previous.serviceKey);
    if (event.type === "apply") services.add(event.object.serviceKey);
    const before = new Map([...services].map((key) => [key, this.has(key)]));

    if (event.previous !== undefined) this.#remove(event.previous.serviceKey, event.key);
    if (event.type === "apply" && this.#counts(event.object)) {
      this.#add(event.object.serviceKey, event.key);
    }
    return [...services].filter((key) => before.get(key) !== this.has(key));
  }

  #add(serviceKey: string, sliceKey: string): void {
    const slices = this.#slices.get(serviceKey) ?? new Set();
    this.#slices.set(serviceKey, slices.add(sliceKey));
  }

  #remove(serviceKey: string, sliceKey: string): void {
    const slices = this.#slices.get(serviceKey);
    slices?.delete(sliceKey);
    if (slices?.size === 0) this.#slices.delete(serviceKey);
  }
}
