import { ENDPOINT_SLICE_MANAGED_BY, LABELS, MANAGED_BY } from "../../../api/names.ts";
import type { EndpointSlice, KubeObject } from "../../../api/objects.ts";
import type { ReflectorEvent } from "../../../kube/reflector/store.ts";

/** What is kept of a provider's EndpointSlice. */
export interface SliceSummary extends KubeObject {
  /** `namespace/name` of the Service it belongs to. */
  serviceKey: string;
  ready: boolean;
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
  const ready = (slice.endpoints ?? []).some(
    ({ addresses, conditions }) => addresses.length > 0 && conditions?.ready !== false,
  );
  return { metadata: { name, namespace }, serviceKey: `${namespace}/${service}`, ready };
}

/** Which Services have a ready endpoint, kept up to date slice by slice. */
export class EndpointIndex {
  /** Keys of the slices with a ready endpoint, by Service. */
  readonly #readySlices = new Map<string, Set<string>>();

  hasReady(serviceKey: string): boolean {
    return this.#readySlices.has(serviceKey);
  }

  /** Takes a change in and returns the Services whose answer it changed. */
  apply(event: ReflectorEvent<SliceSummary>): string[] {
    const services = new Set<string>();
    if (event.previous !== undefined) services.add(event.previous.serviceKey);
    if (event.type === "apply") services.add(event.object.serviceKey);
    const before = new Map([...services].map((key) => [key, this.hasReady(key)]));

    if (event.previous !== undefined) this.#remove(event.previous.serviceKey, event.key);
    if (event.type === "apply" && event.object.ready) {
      this.#add(event.object.serviceKey, event.key);
    }
    return [...services].filter((key) => before.get(key) !== this.hasReady(key));
  }

  #add(serviceKey: string, sliceKey: string): void {
    const slices = this.#readySlices.get(serviceKey) ?? new Set();
    this.#readySlices.set(serviceKey, slices.add(sliceKey));
  }

  #remove(serviceKey: string, sliceKey: string): void {
    const slices = this.#readySlices.get(serviceKey);
    slices?.delete(sliceKey);
    if (slices?.size === 0) this.#readySlices.delete(serviceKey);
  }
}
