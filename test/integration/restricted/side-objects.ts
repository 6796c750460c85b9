import type { Link } from "../../../api/link.ts";
import {
  ANNOTATIONS,
  IDENTITY_CONFIG_MAP_NAME,
  INSTALL_NAMESPACE,
  LABELS,
} from "../../../api/names.ts";
import type { ConfigMap, KubeObject, Service } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { KubeClient } from "../../../kube/client/client.ts";
import type { KubeEvent } from "../../../kube/events.ts";
import type { Cluster } from "../../bed/bed.ts";
import { eventually } from "../fixtures.ts";

const TIMEOUT_MS = 30_000;
const IDENTITY = { namespace: INSTALL_NAMESPACE, name: IDENTITY_CONFIG_MAP_NAME };
const WEST = { namespace: INSTALL_NAMESPACE, name: "west" };

/** What is looked at, and what is put, in one of the two clusters by its administrator. */
export class SideObjects {
  readonly admin: KubeClient;
  readonly #cluster: Cluster;

  constructor(admin: KubeClient, cluster: Cluster) {
    this.admin = admin;
    this.#cluster = cluster;
  }

  /** Waits until the cluster publishes this list. */
  async untilPublished(namespaces: string | undefined): Promise<void> {
    await eventually(
      async () => {
        const { data } = await this.admin.get<ConfigMap>(RESOURCES.configMaps, IDENTITY);
        if (data?.["namespaces"] !== namespaces) throw new Error(data?.["namespaces"] ?? "no list");
      },
      { describe: `${this.#cluster.name} publishes ${namespaces}`, timeoutMs: TIMEOUT_MS },
    );
  }

  /** Publishes another list than its own controller does. */
  async publish(namespaces: readonly string[]): Promise<void> {
    await this.admin.patch<ConfigMap>(
      RESOURCES.configMaps,
      IDENTITY,
      { data: { namespaces: namespaces.join() } },
      { type: "merge" },
    );
  }

  /** Waits until a condition of Link west says this; returns its message. */
  async untilCondition(type: string, says: string): Promise<string> {
    return await eventually(
      async () => {
        const { status } = await this.admin.get<Link>(RESOURCES.links, WEST);
        const conditions = status?.conditions ?? [];
        const found = conditions.find((condition) => condition.type === type);
        if (`${found?.status} ${found?.reason}` !== says) {
          throw new Error(conditions.map((each) => `${each.type} ${each.reason}`).join(", "));
        }
        return found?.message ?? "";
      },
      { describe: `condition ${type} says ${says}`, timeoutMs: TIMEOUT_MS },
    );
  }

  /** Waits until the status of Link west counts so many mirrors: it is written last, and not at once. */
  async untilCounted(mirrors: number): Promise<void> {
    await eventually(
      async () => {
        const { status } = await this.admin.get<Link>(RESOURCES.links, WEST);
        if (status?.mirroredServices !== mirrors) throw new Error(`${status?.mirroredServices}`);
      },
      { describe: `Link west counts ${mirrors} mirrors`, timeoutMs: TIMEOUT_MS },
    );
  }

  /** Makes a Service, with an endpoint that is ready when an address is given. */
  async putService(
    key: string,
    annotations: Record<string, string>,
    endpoint?: { host: string; port: number },
  ): Promise<void> {
    const [namespace = "", name = ""] = key.split("/");
    await this.admin.apply<Service>(
      RESOURCES.services,
      {
        metadata: { namespace, name, annotations },
        spec: { ports: [{ name: "http", port: 80 }] },
      },
      { fieldManager: "test", force: true },
    );
    if (endpoint === undefined) return;
    const slice: KubeObject & Record<string, unknown> = {
      metadata: { namespace, name: `${name}-own`, labels: { [LABELS.serviceName]: name } },
      addressType: "IPv4",
      endpoints: [{ addresses: [endpoint.host], conditions: { ready: true } }],
      ports: [{ name: "http", port: endpoint.port, protocol: "TCP" }],
    };
    await this.admin.apply(RESOURCES.endpointSlices, slice, { fieldManager: "test", force: true });
  }

  /** The endpoint of the Service kubernetes, as an API server writes it unless it is told not to. */
  async putApiServer(): Promise<void> {
    const { hostname, port } = new URL(this.#cluster.server);
    const slice: KubeObject & Record<string, unknown> = {
      metadata: {
        namespace: "default",
        name: "kubernetes",
        labels: { [LABELS.serviceName]: "kubernetes" },
      },
      addressType: "IPv4",
      endpoints: [{ addresses: [hostname], conditions: { ready: true } }],
      ports: [{ name: "https", port: Number(port), protocol: "TCP" }],
    };
    await this.admin.apply(RESOURCES.endpointSlices, slice, { fieldManager: "test", force: true });
  }

  async export(key: string, endpoint: { host: string; port: number }): Promise<void> {
    await this.putService(key, { [ANNOTATIONS.export]: "true" }, endpoint);
  }

  /** Waits until the mirror says `open` or `closed`; returns the egress port of its first port. */
  async untilMirror(key: string, state: string): Promise<number> {
    return await eventually(
      async () => {
        const [namespace = "", name = ""] = key.split("/");
        const { metadata, spec } = await this.admin.get<Service>(RESOURCES.services, {
          namespace,
          name,
        });
        const { [ANNOTATIONS.state]: is, [ANNOTATIONS.stateReason]: reason } =
          metadata.annotations ?? {};
        const port = spec?.ports?.[0]?.targetPort;
        if (`${is} ${reason}` !== state || typeof port !== "number") {
          throw new Error(`${is} ${reason}`);
        }
        return port;
      },
      { describe: `mirror ${key} of ${this.#cluster.name} is ${state}`, timeoutMs: TIMEOUT_MS },
    );
  }

  /** Waits until there is an EndpointSlice, or until there is none. */
  async untilSlice(namespace: string, name: string, wanted: boolean): Promise<void> {
    await eventually(
      async () => {
        const found = await this.admin.find(RESOURCES.endpointSlices, { namespace, name });
        if ((found !== undefined) !== wanted) throw new Error(wanted ? "not there" : "still there");
      },
      { describe: `EndpointSlice ${namespace}/${name}: ${wanted}`, timeoutMs: TIMEOUT_MS },
    );
  }

  async untilGone(key: string): Promise<void> {
    const [namespace = "", name = ""] = key.split("/");
    await eventually(
      async () => {
        const found = await this.admin.find(RESOURCES.services, { namespace, name });
        if (found !== undefined) throw new Error("still there");
      },
      { describe: `${key} of ${this.#cluster.name} is gone`, timeoutMs: TIMEOUT_MS },
    );
  }

  /** The notes of the Events in a namespace that have this reason. */
  async untilEvent(reason: string, namespace = INSTALL_NAMESPACE): Promise<string> {
    return await eventually(
      async () => {
        const { items } = await this.admin.list<KubeEvent>(RESOURCES.events, { namespace });
        const found = items.find((event) => event.reason === reason);
        if (found === undefined) throw new Error(items.map((event) => event.reason).join(", "));
        return found.note ?? "";
      },
      { describe: `an Event ${reason} in ${namespace}`, timeoutMs: TIMEOUT_MS },
    );
  }
}
