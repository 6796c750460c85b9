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
 * addresses. Of Services that are never to be reached (`namespace/name`), all
 * endpoints are kept: those that are not ready are not to be reached either.
 */
export function pruneSlice(
  raw: KubeObject,
  neverReached: ReadonlySet<string> = new Set(),
): EndpointSlice | undefined {
  const slice: EndpointSlice = raw;
  const { name, namespace, labels = {} } = slice.metadata;
  const service = labels[LABELS.serviceName];
  const ours =
    labels[LABELS.endpointSliceManagedBy] === ENDPOINT_SLICE_MANAGED_BY ||
    labels[LABELS.managedBy] === MANAGED_BY;
  if (ours || service === undefined || namespace === undefined) return undefined;
  if (slice.addressType !== "IPv4" && slice.addressType !== "IPv6") return undefined;
  // An absent condition means ready (discovery.k8s.io/v1 EndpointConditions).
  const all = neverReached.has(`${namespace}/${service}`);
  const kept = (slice.endpoints ?? []).filter(
    ({ conditions }) => all || conditions?.ready !== false,
  );
  return {
    metadata: { name, namespace, labels: { [LABELS.serviceName]: service } },
    addressType: slice.addressType,
    endpoints: kept.map(({ addresses }) => ({ addresses })),
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
  /** What was found by Service and port name, until a slice of the Service changes. */
  readonly #found = new Map<string, Map<string, readonly Target[]>>();

  constructor(slices: Pick<Store<EndpointSlice>, "get">) {
    this.#slices = slices;
  }

  /** Notes that the slice `key` is there. */
  add(key: string, slice: EndpointSlice): void {
    const service = serviceKeyOf(slice);
    const keys = this.#keysByService.get(service) ?? new Set();
    keys.add(key);
    this.#keysByService.set(service, keys);
    this.#found.delete(service);
  }

  /** Notes that the slice `key`, last seen as `slice`, is gone. */
  remove(key: string, slice: EndpointSlice): void {
    const service = serviceKeyOf(slice);
    const keys = this.#keysByService.get(service);
    keys?.delete(key);
    if (keys?.size === 0) this.#keysByService.delete(service);
    this.#found.delete(service);
  }

  /** Every ready TCP endpoint of a port of the Service, by the port's name (empty when it has none). */
  targets(namespace: string, service: string, portName: string): readonly Target[] {
    const key = `${namespace}/${service}`;
    const keys = this.#keysByService.get(key);
    if (keys === undefined) return [];
    const byPort = this.#found.get(key) ?? new Map<string, readonly Target[]>();
    this.#found.set(key, byPort);
    const found = byPort.get(portName) ?? this.#find(keys, portName);
    byPort.set(portName, found);
    return found;
  }

  #find(keys: ReadonlySet<string>, portName: string): Target[] {
    const found: Target[] = [];
    for (const key of keys) {
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

/** `namespace/name` of the Service that a slice belongs to. */
export function serviceKeyOf({ metadata }: EndpointSlice): string {
  return `${metadata.namespace ?? ""}/${metadata.labels?.[LABELS.serviceName] ?? ""}`;
}
