import type { Clock, Random } from "../../api/clock.ts";
import {
  CONTROLLER_FIELD_MANAGER,
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

/** The own cluster, as far as mirrors depend on it. Start and sync each before the controller. */
export interface MirrorCaches {
  /** Ours whole; of all others only that they exist. */
  readonly services: Reflector<Service>;
  readonly endpointSlices: Reflector<EndpointSlice>;
  readonly endpoints: Reflector<Endpoints>;
  readonly namespaces: Reflector<Namespace>;
  /** The gateways' Pods, as far as endpoints need them. */
  readonly gatewayPods: Reflector<Pod>;
}

/** Makes the reflectors that the mirrors read; the caller starts and stops them. */
export function createMirrorCaches(options: {
  client: KubeClient;
  clock?: Clock;
  random?: Random;
  logger?: Logger;
  metrics?: KubeMetrics;
}): MirrorCaches {
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
 */
function keepService(raw: KubeObject): Service {
  if (isOurs(raw)) return raw;
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
