import type { Clock, Random } from "../api/clock.ts";
import { asksForExport } from "../api/export.ts";
import { asksForFailover } from "../api/failover.ts";
import type { Link } from "../api/link.ts";
import {
  ANNOTATIONS,
  GATEWAY_NAME,
  GATEWAY_TLS_SECRET_NAME,
  LABELS,
  MANAGED_BY,
} from "../api/names.ts";
import type { EndpointSlice, KubeObject, Secret, Service } from "../api/objects.ts";
import { isOurs } from "../api/ownership.ts";
import type { Peer } from "../api/peer.ts";
import { RESOURCES } from "../api/resources.ts";
import type { KubeClient } from "../kube/client/client.ts";
import type { Logger } from "../kube/logger.ts";
import type { KubeMetrics } from "../kube/metrics.ts";
import {
  createObjectCache,
  NamespacedCache,
  type NamespacePart,
} from "../kube/reflector/namespaced-cache.ts";
import type { ObjectCache } from "../kube/reflector/object-cache.ts";
import { Reflector } from "../kube/reflector/reflector.ts";
import { EndpointIndex, pruneSlice, serviceKeyOf } from "./ingress/endpoint-index.ts";
import { ProtectedTargets } from "./ingress/forbidden-addresses.ts";

export interface ClusterWatchOptions {
  client: KubeClient;
  /** Where Links, Peers and the leaf are. */
  namespace: string;
  /** Where Services may be exported from, mirrored to and fail over; everywhere when absent. */
  namespaces?: readonly string[] | undefined;
  clock: Clock;
  random: Random;
  logger: Logger;
  metrics: KubeMetrics;
}

/** The Service whose endpoints are the API servers, and the name that they give its EndpointSlice. */
const API_SERVERS = "default/kubernetes";
const API_SERVERS_SLICE = { namespace: "default", name: "kubernetes" };

/**
 * Everything the gateway learns of its own cluster: one reflector per kind of
 * object (and namespace, where it may not read all), kept as small as it can be.
 */
export class ClusterWatch {
  readonly links: Reflector<Link>;
  readonly peers: Reflector<Peer>;
  readonly leafSecret: Reflector<Secret>;
  readonly mirrors: ObjectCache<Service>;
  /** Services that are exported, or that fail over. */
  readonly exports: ObjectCache<Service>;
  readonly slices: ObjectCache<EndpointSlice>;
  /** Endpoints by Service, from `slices`. */
  readonly endpoints: EndpointIndex;
  /** API servers, gateways, mirrors and what fails over, which no stream may go to. */
  readonly protectedTargets = new ProtectedTargets();

  constructor(options: ClusterWatchOptions) {
    const { namespace, namespaces, ...shared } = options;
    const { links, peers, secrets, services, endpointSlices } = RESOURCES;
    const neverReached = new Set([API_SERVERS, `${namespace}/${GATEWAY_NAME}`]);
    this.links = new Reflector<Link>({ ...shared, name: "links", resource: links, namespace });
    this.peers = new Reflector<Peer>({ ...shared, name: "peers", resource: peers, namespace });
    this.leafSecret = new Reflector<Secret>({
      ...shared,
      name: "leaf",
      resource: secrets,
      namespace,
      // RBAC grants list and watch of one name only with this selector.
      fieldSelector: `metadata.name=${GATEWAY_TLS_SECRET_NAME}`,
    });
    const labelSelector = `${LABELS.managedBy}=${MANAGED_BY}`;
    this.mirrors = createObjectCache<Service>(
      { ...shared, name: "mirrors", resource: services, labelSelector, transform: keepMirror },
      namespaces,
    );
    this.exports = createObjectCache<Service>(
      { ...shared, name: "exports", resource: services, transform: keepExported },
      namespaces,
    );
    const ofSlices = {
      ...shared,
      name: "endpointslices",
      resource: endpointSlices,
      transform: (raw: KubeObject) => pruneSlice(raw, neverReached),
    };
    this.slices =
      namespaces === undefined
        ? new Reflector<EndpointSlice>(ofSlices)
        : new NamespacedCache<EndpointSlice>({
            ...ofSlices,
            parts: slicePartsOf(namespaces, namespace),
          });
    const endpoints = new EndpointIndex(this.slices.store);
    this.endpoints = endpoints;
    const { protectedTargets } = this;
    this.slices.onEvent(({ key, previous, ...event }) => {
      if (previous !== undefined) {
        endpoints.remove(key, previous);
        if (neverReached.has(serviceKeyOf(previous))) {
          protectedTargets.remove(addressesOf(previous), portsOf(previous));
        }
      }
      if (event.type !== "apply") return;
      endpoints.add(key, event.object);
      if (neverReached.has(serviceKeyOf(event.object))) {
        protectedTargets.add(addressesOf(event.object), portsOf(event.object));
      }
    });
    // A mirror's ClusterIP leads to another cluster's gateway.
    this.mirrors.onEvent(({ previous, ...event }) => {
      protectedTargets.remove(previous?.spec?.clusterIPs ?? []);
      if (event.type === "apply") protectedTargets.add(event.object.spec?.clusterIPs ?? []);
    });
    // So may the ClusterIP of a Service that fails over: a request must not bounce by way of it.
    this.exports.onEvent(({ previous, ...event }) => {
      protectedTargets.remove(failoverAddressesOf(previous));
      if (event.type === "apply") protectedTargets.add(failoverAddressesOf(event.object));
    });
  }

  /** Names of the reflectors that have not had a whole list yet. */
  get unsynced(): string[] {
    return Object.entries(this.#reflectors())
      .filter(([, reflector]) => !reflector.synced)
      .map(([name]) => name);
  }

  /** Calls `listener` after any of the objects that the egress acts on changed. */
  onEgressChange(listener: () => void): void {
    this.links.onEvent(listener);
    this.mirrors.onEvent(listener);
    this.leafSecret.onEvent(listener);
  }

  /** Begins to watch; resolves when all of it is known. */
  async start(signal: AbortSignal): Promise<void> {
    const reflectors = Object.values(this.#reflectors());
    await Promise.all(reflectors.map((reflector) => reflector.start(signal)));
    await Promise.all(reflectors.map((reflector) => reflector.waitForSync(signal)));
  }

  async stop(): Promise<void> {
    await Promise.all(Object.values(this.#reflectors()).map((reflector) => reflector.stop()));
  }

  #reflectors() {
    const { links, peers, leafSecret, mirrors, exports, slices } = this;
    return { links, peers, leafSecret, mirrors, exports, slices };
  }
}

/**
 * Beside those of the listed namespaces the slices of what no stream may reach:
 * without them nothing is served. Of `default` that is one object by its name.
 */
function slicePartsOf(namespaces: readonly string[], own: string): NamespacePart[] {
  const { namespace, name } = API_SERVERS_SLICE;
  const listed = namespaces.filter((each) => each !== own && each !== namespace);
  return [
    ...listed.map((each) => ({ namespace: each })),
    { namespace: own, required: true },
    namespaces.includes(namespace)
      ? { namespace, required: true }
      : { namespace, fieldSelector: `metadata.name=${name}`, required: true },
  ];
}

function addressesOf({ endpoints }: EndpointSlice): string[] {
  return (endpoints ?? []).flatMap(({ addresses }) => addresses);
}

/** API servers share their nodes with others, which may be exported; of gateways no port may be reached. */
function portsOf(slice: EndpointSlice): number[] | undefined {
  if (serviceKeyOf(slice) !== API_SERVERS) return undefined;
  const ports = (slice.ports ?? []).map(({ port }) => port);
  // A port that is not named stands for all of them.
  return ports.every((port) => port !== undefined) ? ports : undefined;
}

const MIRROR_ANNOTATIONS: ReadonlySet<string> = new Set([ANNOTATIONS.source, ANNOTATIONS.state]);

/** Only mirrors that are ours, and of them what routes are made of. */
function keepMirror(raw: KubeObject): Service | undefined {
  const service: Service = raw;
  if (!isOurs(service)) return undefined;
  const { managedFields = [], annotations = {}, ...metadata } = service.metadata;
  return {
    metadata: {
      ...metadata,
      annotations: Object.fromEntries(
        Object.entries(annotations).filter(([name]) => MIRROR_ANNOTATIONS.has(name)),
      ),
      managedFields: managedFields.map(({ manager }) => (manager === undefined ? {} : { manager })),
    },
    spec: { ports: service.spec?.ports ?? [], clusterIPs: service.spec?.clusterIPs ?? [] },
  };
}

function failoverAddressesOf(service: Service | undefined): string[] {
  return service !== undefined && asksForFailover(service) ? (service.spec?.clusterIPs ?? []) : [];
}

/** Only Services that ask to be exported or to fail over, and of them what the decisions need. */
function keepExported(raw: KubeObject): Service | undefined {
  const service: Service = raw;
  if (!asksForExport(service) && !asksForFailover(service)) return undefined;
  const { managedFields: _managedFields, ...metadata } = service.metadata;
  const { ports = [], type, clusterIP, clusterIPs } = service.spec ?? {};
  return {
    metadata,
    spec: {
      ports,
      ...(type === undefined ? {} : { type }),
      ...(clusterIP === undefined ? {} : { clusterIP }),
      ...(clusterIPs === undefined ? {} : { clusterIPs }),
    },
  };
}
