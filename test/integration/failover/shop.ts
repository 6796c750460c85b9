import { beforeAll } from "vitest";
import { ANNOTATIONS, LABELS } from "../../../api/names.ts";
import type {
  EndpointSlice,
  KubeObject,
  ObjectMeta,
  Service,
  ServicePort,
} from "../../../api/objects.ts";
import { failoverSliceName } from "../../../api/ownership.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { KubeClient } from "../../../kube/client/client.ts";
import type { KubeEvent } from "../../../kube/events.ts";
import { poll } from "../../bed/poll.ts";
import { type Name, type TwoLinks, useTwoLinks } from "../hostile/two-links.ts";
import { makeGatewayPod } from "../mirror/consumer-cluster.ts";

export const NAMESPACE = "shop";
const HTTP: ServicePort = { name: "http", port: 80 };
const { services, endpointSlices, events, namespaces } = RESOURCES;
/** What refuses does so at the first probe: these tests tell apart answers, not how many it takes. */
const ONE_PROBE_TELLS = { timeoutSeconds: 10, failureThreshold: 1, successThreshold: 1 };
const TIMEOUT_MS = 20_000;

/** A Service and its own endpoint, in one cluster. */
interface Wanted {
  namespace?: string;
  annotations?: Record<string, string>;
  spec?: Service["spec"];
  /** Whether its endpoint is ready; without one when absent. */
  ready?: boolean | undefined;
}

/** East with links to west and north, namespace shop in each, and two egress gateways: what every file here begins with. */
export function useShop(): () => Shop {
  const links = useTwoLinks(ONE_PROBE_TELLS);
  let shop: Shop | undefined;
  beforeAll(async () => {
    const { east, providers } = links();
    await makeGatewayPod(east, "gateway-b", "10.1.0.6");
    for (const client of [east, ...Object.values(providers)]) {
      for (const name of [NAMESPACE, "other"]) {
        await client.create<KubeObject>(namespaces, { metadata: { name } });
      }
    }
    shop = new Shop(links());
  });
  return () => {
    if (shop === undefined) throw new Error("the shop is open only while tests run");
    return shop;
  };
}

/** Moves Services of the three clusters, and looks at what the controller in east makes of it. */
export class Shop {
  readonly links: TwoLinks;

  constructor(links: TwoLinks) {
    this.links = links;
  }

  get east(): KubeClient {
    return this.links.east;
  }

  /** Exports a Service in a provider, its endpoint ready unless told otherwise, and waits until its mirror is open. */
  async exports(cluster: Name, name: string, wanted: Wanted = {}): Promise<void> {
    const annotations = { ...wanted.annotations, [ANNOTATIONS.export]: "true" };
    const client = this.links.providers[cluster];
    await makeService(client, name, { ready: true, ...wanted, annotations });
    if (wanted.ready !== false) await this.mirrorPorts(`${name}-${cluster}`, wanted.namespace);
  }

  /** Makes a Service in east that fails over to these; its own endpoint is ready unless told otherwise. */
  async failsOver(name: string, targets: string, wanted: Wanted = {}): Promise<Service> {
    const annotations = { [ANNOTATIONS.failover]: targets, ...wanted.annotations };
    return await makeService(this.east, name, { ready: true, ...wanted, annotations });
  }

  /** The Service's own endpoint gets ready, or not any more, in east or a provider. */
  async becomes(ready: boolean, name: string, cluster?: Name): Promise<void> {
    const client = cluster === undefined ? this.east : this.links.providers[cluster];
    const key = { namespace: NAMESPACE, name: `${name}-own` };
    await client.patch(endpointSlices, key, endpointsOf(ready), { type: "merge" });
  }

  /** The provider's endpoint is not ready any more; waits until the mirror says so. */
  async closes(cluster: Name, name: string): Promise<void> {
    await this.becomes(false, name, cluster);
    const mirror = { namespace: NAMESPACE, name: `${name}-${cluster}` };
    await poll(
      `closed mirror ${mirror.name}`,
      async () => {
        const { metadata } = await this.east.get<Service>(services, mirror);
        return metadata.annotations?.[ANNOTATIONS.state] === "closed";
      },
      { timeoutMs: TIMEOUT_MS },
    );
  }

  /** Changes annotations of a Service; null takes one away. */
  async annotates(name: string, annotations: Record<string, string | null>, cluster?: Name) {
    const client = cluster === undefined ? this.east : this.links.providers[cluster];
    const key = { namespace: NAMESPACE, name };
    await client.patch(services, key, { metadata: { annotations } }, { type: "merge" });
  }

  async service(name: string): Promise<Service> {
    return await this.east.get<Service>(services, { namespace: NAMESPACE, name });
  }

  async slice(name: string): Promise<EndpointSlice | undefined> {
    const key = { namespace: NAMESPACE, name: failoverSliceName(name, "IPv4") };
    return await this.east.find<EndpointSlice>(endpointSlices, key);
  }

  /** Waits until the failover slice is there and satisfies `check`. */
  async sees(
    name: string,
    check: (slice: EndpointSlice) => boolean = () => true,
  ): Promise<EndpointSlice> {
    return await poll(
      `failover slice of ${name}`,
      async () => {
        const slice = await this.slice(name);
        if (slice !== undefined && check(slice)) return slice;
        throw new Error(JSON.stringify({ ...slice, metadata: trimmed(slice?.metadata) }));
      },
      { timeoutMs: TIMEOUT_MS },
    );
  }

  /** Waits until the slice says a state and its target's cluster, such as `standby west`. */
  async says(name: string, wanted: string): Promise<EndpointSlice> {
    return await this.sees(name, (slice) => saidBy(slice) === wanted);
  }

  /** What its failover slice said one after another since it was as `from`, and with how many ready endpoints. */
  async history(name: string, from: EndpointSlice): Promise<string[]> {
    const last = await this.slice(name);
    const { signal } = new AbortController();
    const { resourceVersion = "" } = from.metadata;
    const fieldSelector = `metadata.name=${from.metadata.name}`;
    const options = {
      namespace: NAMESPACE,
      fieldSelector,
      resourceVersion,
      timeoutSeconds: 5,
      signal,
    };
    const said: string[] = [];
    for await (const event of this.east.watch(endpointSlices, options)) {
      if (event.type !== "MODIFIED") continue;
      const slice: EndpointSlice = event.object;
      said.push(`${saidBy(slice)} ${readyOf(slice)}`);
      if (slice.metadata.resourceVersion === last?.metadata.resourceVersion) break;
    }
    return said;
  }

  /** Waits until the Service has no failover slices. */
  async misses(name: string): Promise<void> {
    await poll(
      `no failover slice of ${name}`,
      async () => {
        const slice = await this.slice(name);
        if (slice !== undefined) throw new Error(saidBy(slice));
        return true;
      },
      { timeoutMs: TIMEOUT_MS },
    );
  }

  /** The egress ports of a mirror in east, once it is open. */
  async mirrorPorts(name: string, namespace = NAMESPACE): Promise<Record<string, unknown>> {
    const mirror = await poll(
      `open mirror ${name}`,
      async () => {
        const found = await this.east.find<Service>(services, { namespace, name });
        return found?.metadata.annotations?.[ANNOTATIONS.state] === "open" && found;
      },
      { timeoutMs: TIMEOUT_MS },
    );
    const ports = mirror.spec?.ports ?? [];
    return Object.fromEntries(ports.map(({ name: port = "", targetPort }) => [port, targetPort]));
  }

  /** Events on a Service, oldest first. */
  async events(name: string): Promise<KubeEvent[]> {
    const { items } = await this.east.list<KubeEvent>(events, { namespace: NAMESPACE });
    return items
      .filter(({ regarding }) => regarding?.kind === "Service" && regarding.name === name)
      .toSorted((left, right) => ((left.eventTime ?? "") < (right.eventTime ?? "") ? -1 : 1));
  }

  /** Waits for an Event on a Service with this reason, and this in its note. */
  async tells(name: string, reason: string, note = ""): Promise<KubeEvent> {
    return await poll(
      `Event ${reason} on ${name} with ${note}`,
      async () => {
        const all = await this.events(name);
        const found = all.find((event) => event.reason === reason && event.note?.includes(note));
        if (found !== undefined) return found;
        throw new Error(JSON.stringify(all.map((event) => `${event.reason}: ${event.note}`)));
      },
      { timeoutMs: TIMEOUT_MS },
    );
  }
}

async function makeService(client: KubeClient, name: string, wanted: Wanted): Promise<Service> {
  const { namespace = NAMESPACE, annotations = {}, spec, ready } = wanted;
  if (ready !== undefined) {
    await client.create<EndpointSlice>(endpointSlices, {
      metadata: { namespace, name: `${name}-own`, labels: { [LABELS.serviceName]: name } },
      addressType: "IPv4",
      ports: [{ name: "http", port: 8080, protocol: "TCP" }],
      ...endpointsOf(ready),
    });
  }
  return await client.create<Service>(services, {
    metadata: { namespace, name, annotations },
    spec: { ports: [HTTP], ...spec },
  });
}

function endpointsOf(ready: boolean): Pick<EndpointSlice, "endpoints"> {
  return { endpoints: [{ addresses: ["10.9.9.9"], conditions: { ready } }] };
}

/** State and target's cluster, as a failover slice has them. */
export function saidBy({ metadata }: EndpointSlice): string {
  const { [ANNOTATIONS.state]: state, [ANNOTATIONS.source]: source } = metadata.annotations ?? {};
  return `${state} ${source?.split("/")[0]}`;
}

/** Ready endpoints of a slice. */
export function readyOf({ endpoints }: EndpointSlice): number {
  return (endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false).length;
}

/** Without what nobody wants to read. */
function trimmed(metadata: ObjectMeta | undefined): Partial<ObjectMeta> {
  return { ...metadata, managedFields: [] };
}
