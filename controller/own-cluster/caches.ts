import type { Clock, Random } from "../../api/clock.ts";
import { asksForFailover } from "../../api/failover.ts";
import {
  ANNOTATIONS,
  CONTROLLER_FIELD_MANAGER,
  ENDPOINT_SLICE_MANAGED_BY,
  GATEWAY_NAME,
  INSTALL_NAMESPACE,
  LABELS,
  MANAGED_BY,
} from "../../api/names.ts";
import type {
  Endpoints,
  EndpointSlice,
  KubeObject,
  Namespace,
  Pod,
  Service,
} from "../../api/objects.ts";
import { isOurs } from "../../api/ownership.ts";
import { RESOURCES } from "../../api/resources.ts";
import type { KubeClient } from "../../kube/client/client.ts";
import type { Logger } from "../../kube/logger.ts";
import type { KubeMetrics } from "../../kube/metrics.ts";
import { NamespacedCache, type NamespaceReading } from "../../kube/reflector/namespaced-cache.ts";
import type { ObjectCache } from "../../kube/reflector/object-cache.ts";
import { Reflector, type ReflectorOptions } from "../../kube/reflector/reflector.ts";
import { type SliceSummary, summariseSlice } from "../endpoint-index.ts";
import { ListedNamespaces, type NamespaceCache } from "./listed-namespaces.ts";

/** The own cluster, as far as mirrors and failover depend on it. Start and sync each before the controller. */
export interface OwnClusterCaches {
  /** Ours whole; of others that they exist, and what failover needs of those that ask for it. */
  readonly services: ObjectCache<Service>;
  /** Ours: of mirrors, and by which Services fail over. */
  readonly endpointSlices: ObjectCache<EndpointSlice>;
  /** All others: which Services have ready endpoints here. */
  readonly localEndpoints: ObjectCache<SliceSummary>;
  readonly endpoints: ObjectCache<Endpoints>;
  readonly namespaces: NamespaceCache;
  /** The gateways' Pods, as far as endpoints need them. */
  readonly gatewayPods: ObjectCache<Pod>;
}

export interface OwnClusterOptions {
  client: KubeClient;
  /** The only namespaces to work in; undefined: all. */
  namespaces?: readonly string[] | undefined;
  /** Namespaces that were listed: read still, so that what is ours there can go. */
  retiredNamespaces?: readonly string[] | undefined;
  clock: Clock;
  random?: Random;
  logger?: Logger;
  metrics?: KubeMetrics;
}

/** Makes the caches that the mirrors read; the caller starts and stops them. */
export function createOwnClusterCaches(options: OwnClusterOptions): OwnClusterCaches {
  const { namespaces, retiredNamespaces = [], ...shared } = options;
  const gatewayPods = new Reflector<Pod>({
    ...shared,
    name: "gateway-pods",
    resource: RESOURCES.pods,
    namespace: INSTALL_NAMESPACE,
    labelSelector: `${LABELS.name}=${GATEWAY_NAME}`,
    transform: keepPod,
  });
  if (namespaces === undefined) {
    const all = new Reflector<Namespace>({
      ...shared,
      name: "namespaces",
      resource: RESOURCES.namespaces,
      transform: keepNamespace,
    });
    const contents = contentsOf(shared, (each) => new Reflector(each));
    return { ...contents, namespaces: all, gatewayPods };
  }
  const parts = [...new Set([...namespaces, ...retiredNamespaces])].map((namespace) => ({
    namespace,
  }));
  const read: Pick<NamespacedCache<KubeObject>, "readingOf" | "onReading">[] = [];
  const contents = contentsOf(shared, (each) => {
    const cache = new NamespacedCache({ ...each, parts });
    read.push(cache);
    return cache;
  });
  const listed = new ListedNamespaces({
    ...shared,
    names: namespaces,
    readingOf: (name) => worstOf(read.map((cache) => cache.readingOf(name))),
    transform: keepNamespace,
  });
  for (const cache of read) cache.onReading(() => listed.look());
  return { ...contents, namespaces: listed, gatewayPods };
}

function worstOf(readings: readonly NamespaceReading[]): NamespaceReading {
  return (
    ["denied" as const, "pending" as const].find((each) => readings.includes(each)) ?? "readable"
  );
}

type Shared = Omit<OwnClusterOptions, "namespaces" | "retiredNamespaces">;

/** What is read in every namespace, each resource by a cache that `make` makes. */
function contentsOf(
  shared: Shared,
  make: <T extends KubeObject>(options: ReflectorOptions<T>) => ObjectCache<T>,
): Pick<OwnClusterCaches, "services" | "endpointSlices" | "localEndpoints" | "endpoints"> {
  const { services, endpointSlices, endpoints } = RESOURCES;
  const labelSelector = `${LABELS.managedBy}=${MANAGED_BY}`;
  return {
    services: make<Service>({
      ...shared,
      name: "services",
      resource: services,
      transform: keepService,
    }),
    endpointSlices: make<EndpointSlice>({
      ...shared,
      name: "endpointslices",
      resource: endpointSlices,
      labelSelector,
      transform: keepOurs,
    }),
    localEndpoints: make<SliceSummary>({
      ...shared,
      name: "local-endpoints",
      resource: endpointSlices,
      labelSelector: `${LABELS.endpointSliceManagedBy}!=${ENDPOINT_SLICE_MANAGED_BY}`,
      transform: summariseSlice,
    }),
    endpoints: make<Endpoints>({
      ...shared,
      name: "endpoints",
      resource: endpoints,
      labelSelector,
      transform: keepOurs,
    }),
  };
}

/**
 * Ours whole, since repairs compare every field. Of a foreign Service its name
 * is enough, and whether it carries our field manager: then it was ours once.
 * Of one that asks for failover also what that depends on.
 */
function keepService(raw: KubeObject): Service {
  if (isOurs(raw)) return raw;
  const kept = keepName(raw);
  return asksForFailover(raw) ? failoverPartOf(raw, kept) : kept;
}

const FAILOVER_ANNOTATIONS = [
  ANNOTATIONS.failover,
  ANNOTATIONS.failoverMode,
  ANNOTATIONS.failoverPorts,
  ANNOTATIONS.failoverActivateAfter,
  ANNOTATIONS.failoverFailbackAfter,
];

function failoverPartOf({ metadata, spec = {} }: Service, kept: KubeObject): Service {
  const values = metadata.annotations ?? {};
  const annotations = Object.fromEntries(
    FAILOVER_ANNOTATIONS.flatMap((name) => {
      const value = values[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const { type, clusterIP, ports, ipFamilies } = spec;
  const { internalTrafficPolicy, externalTrafficPolicy, publishNotReadyAddresses } = spec;
  return {
    metadata: { ...kept.metadata, annotations },
    spec: {
      ...(type !== undefined && { type }),
      ...(clusterIP !== undefined && { clusterIP }),
      ...(ports && { ports }),
      ...(ipFamilies && { ipFamilies }),
      ...(internalTrafficPolicy !== undefined && { internalTrafficPolicy }),
      ...(externalTrafficPolicy !== undefined && { externalTrafficPolicy }),
      ...(publishNotReadyAddresses !== undefined && { publishNotReadyAddresses }),
    },
  };
}

function keepName(raw: KubeObject): Service {
  const { name, namespace, uid, resourceVersion, managedFields } = raw.metadata;
  const wasOurs = (managedFields ?? []).some(({ manager }) => manager === CONTROLLER_FIELD_MANAGER);
  return {
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(wasOurs && { managedFields: [{ manager: CONTROLLER_FIELD_MANAGER }] }),
    },
  };
}

function keepOurs(raw: KubeObject): KubeObject | undefined {
  return isOurs(raw) ? raw : undefined;
}

function keepNamespace(raw: KubeObject): Namespace {
  const { metadata, status }: Namespace = raw;
  return {
    metadata: {
      name: metadata.name,
      ...(metadata.labels && { labels: metadata.labels }),
      ...(metadata.deletionTimestamp !== undefined && {
        deletionTimestamp: metadata.deletionTimestamp,
      }),
    },
    ...(status?.phase !== undefined && { status: { phase: status.phase } }),
  };
}

function keepPod(raw: KubeObject): Pod {
  const { metadata, spec, status }: Pod = raw;
  return {
    metadata: {
      name: metadata.name,
      ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
      ...(metadata.uid !== undefined && { uid: metadata.uid }),
      ...(metadata.deletionTimestamp !== undefined && {
        deletionTimestamp: metadata.deletionTimestamp,
      }),
    },
    ...(spec?.nodeName !== undefined && { spec: { nodeName: spec.nodeName } }),
    ...(status && {
      status: {
        ...(status.phase !== undefined && { phase: status.phase }),
        ...(status.podIPs && { podIPs: status.podIPs }),
        ...(status.conditions && {
          conditions: status.conditions
            .filter(({ type }) => type === "Ready")
            .map(({ type, status: value }) => ({ type, status: value })),
        }),
      },
    }),
  };
}
