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
import { Reflector } from "../../kube/reflector/reflector.ts";
import { type SliceSummary, summariseSlice } from "../endpoint-index.ts";

/** The own cluster, as far as mirrors and failover depend on it. Start and sync each before the controller. */
export interface OwnClusterCaches {
  /** Ours whole; of others that they exist, and what failover needs of those that ask for it. */
  readonly services: Reflector<Service>;
  /** Ours: of mirrors, and by which Services fail over. */
  readonly endpointSlices: Reflector<EndpointSlice>;
  /** All others: which Services have ready endpoints here. */
  readonly localEndpoints: Reflector<SliceSummary>;
  readonly endpoints: Reflector<Endpoints>;
  readonly namespaces: Reflector<Namespace>;
  /** The gateways' Pods, as far as endpoints need them. */
  readonly gatewayPods: Reflector<Pod>;
}

/** Makes the reflectors that the mirrors read; the caller starts and stops them. */
export function createOwnClusterCaches(options: {
  client: KubeClient;
  clock?: Clock;
  random?: Random;
  logger?: Logger;
  metrics?: KubeMetrics;
}): OwnClusterCaches {
  const labelSelector = `${LABELS.managedBy}=${MANAGED_BY}`;
  return {
    services: new Reflector<Service>({
      ...options,
      name: "services",
      resource: RESOURCES.services,
      transform: keepService,
    }),
    endpointSlices: new Reflector<EndpointSlice>({
      ...options,
      name: "endpointslices",
      resource: RESOURCES.endpointSlices,
      labelSelector,
      transform: keepOurs,
    }),
    localEndpoints: new Reflector<SliceSummary>({
      ...options,
      name: "local-endpoints",
      resource: RESOURCES.endpointSlices,
      labelSelector: `${LABELS.endpointSliceManagedBy}!=${ENDPOINT_SLICE_MANAGED_BY}`,
      transform: summariseSlice,
    }),
    endpoints: new Reflector<Endpoints>({
      ...options,
      name: "endpoints",
      resource: RESOURCES.endpoints,
      labelSelector,
      transform: keepOurs,
    }),
    namespaces: new Reflector<Namespace>({
      ...options,
      name: "namespaces",
      resource: RESOURCES.namespaces,
      transform: keepNamespace,
    }),
    gatewayPods: new Reflector<Pod>({
      ...options,
      name: "gateway-pods",
      resource: RESOURCES.pods,
      namespace: INSTALL_NAMESPACE,
      labelSelector: `${LABELS.name}=${GATEWAY_NAME}`,
      transform: keepPod,
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
