import { ENDPOINT_SLICE_MANAGED_BY, LABELS, MANAGED_BY } from "../../api/names.ts";
import type { EndpointSlice, KubeObject } from "../../api/objects.ts";
import type { Store } from "../../kube/reflector/store.ts";

/** Where one connection may go. */
export interface Target {
  readonly address: string;
  readonly port: number;
}

/**
 * What the gateway keeps of an EndpointSlice: its Service, its ports, and its
 * ready endpoints. Undefined for a slice that is never a target: our own
 * (it would bounce the request to a third cluster) and names instead of
 * addresses.
 */
export function pruneSlice(raw: KubeObject): EndpointSlice | undefined {
  const slice: EndpointSlice = raw;
  const { name, namespace, labels = {} } = slice.metadata;
  const service = labels[LABELS.serviceName];
  const ours =
    labels[LABELS.endpointSliceManagedBy] === ENDPOINT_SLICE_MANAGED_BY ||
    labels[LABELS.managedBy] === MANAGED_BY;
  if (ours || service === undefined || namespace === undefined) return undefined;
  if (slice.addressType !== "IPv4" && slice.addressType !== "IPv6") return undefined;
  // An absent condition means ready (discovery.k8s.io/v1 EndpointConditions).
  const ready = (slice.endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false);
  return {
    metadata: { name, namespace, labels: { [LABELS.serviceName]: service } },
    addressType: slice.addressType,
    endpoints: ready.map(({ addresses }) => ({ addresses })),
    ports: (slice.ports ?? []).map(({ name: portName, port, protocol }) => ({
      ...(portName === undefined ? {} : { name: portName }),
      ...(port === undefined ? {} : { port }),
      ...(protocol === undefined ? {} : { protocol }),
    })),
  };
}

/** Slices by the Service they belong to; fed with the events of a reflector. */
export class EndpointIndex {
  readonly #slices: Pick<Store<EndpointSlice>, "get">;
  readonly #keysByService = new Map<string, Set<string>>();

  constructor(slices: Pick<Store<EndpointSlice>, "get">) {
    this.#slices = slices;
  }

  /** Notes that the slice `key` is there. */
  add(key: string, slice: EndpointSlice): void {
    const service = serviceOf(slice);
    const keys = this.#keysByService.get(service) ?? new Set();
    keys.add(key);
    this.#keysByService.set(service, keys);
  }

  /** Notes that the slice `key`, last seen as `slice`, is gone. */
  remove(key: string, slice: EndpointSlice): void {
    const service = serviceOf(slice);
    const keys = this.#keysByService.get(service);
    keys?.delete(key);
    if (keys?.size === 0) this.#keysByService.delete(service);
  }

  /** Every ready TCP endpoint of a port of the Service, by the port's name (empty when it has none). */
  targets(namespace: string, service: string, portName: string): Target[] {
    const found: Target[] = [];
    for (const key of this.#keysByService.get(`${namespace}/${service}`) ?? []) {
      const slice = this.#slices.get(key);
      const port = slice?.ports?.find(
        ({ name = "", protocol = "TCP" }) => name === portName && protocol === "TCP",
      )?.port;
      if (port === undefined) continue;
      for (const { addresses } of slice?.endpoints ?? []) {
        // All addresses of an endpoint are fungible, and only the first is used (KEP-752).
        const [address] = addresses;
        if (address !== undefined) found.push({ address, port });
      }
    }
    return found;
  }
}

function serviceOf({ metadata }: EndpointSlice): string {
  return `${metadata.namespace ?? ""}/${metadata.labels?.[LABELS.serviceName] ?? ""}`;
}
