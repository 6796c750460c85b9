import { isDeepStrictEqual } from "node:util";
import type {
  EndpointAddress,
  Endpoints,
  EndpointSlice,
  KubeObject,
  Service,
} from "../../api/objects.ts";
import type { Resource } from "../../api/resources.ts";
import { ownedKeys } from "./field-ownership.ts";

/** Whether an object that exists has to be written to become the desired one. */
export function differs(resource: Resource, desired: KubeObject, actual: KubeObject): boolean {
  return (
    lacks(desired.metadata.labels, actual.metadata.labels) ||
    lacks(desired.metadata.annotations, actual.metadata.annotations) ||
    !isDeepStrictEqual(contentOf(resource, desired), contentOf(resource, actual)) ||
    hasLeftovers(resource, desired, actual)
  );
}

/**
 * Whether the object has something the desired one has not, which an apply
 * removes only after the ownership of fields was put in order.
 */
export function hasLeftovers(resource: Resource, desired: KubeObject, actual: KubeObject): boolean {
  return (
    hasOwnedExtra(desired, actual, "labels") ||
    hasOwnedExtra(desired, actual, "annotations") ||
    (resource.kind === "Service" && hasServiceExtra(desired, actual))
  );
}

function hasServiceExtra(desired: Service, actual: Service): boolean {
  const wanted = new Set((desired.spec?.ports ?? []).map(({ port }) => port));
  return (
    (actual.spec?.ports ?? []).some(
      ({ port, protocol = "TCP" }) => protocol !== "TCP" || !wanted.has(port),
    ) ||
    Object.keys(actual.spec?.selector ?? {}).length > 0 ||
    (actual.spec?.sessionAffinityConfig !== undefined &&
      desired.spec?.sessionAffinityConfig === undefined)
  );
}

function hasOwnedExtra(
  desired: KubeObject,
  actual: KubeObject,
  kind: "labels" | "annotations",
): boolean {
  const wanted = desired.metadata[kind] ?? {};
  const present = actual.metadata[kind] ?? {};
  return [...ownedKeys(actual, kind)].some((key) => key in present && !(key in wanted));
}

function lacks(
  desired: Readonly<Record<string, string>> = {},
  actual: Readonly<Record<string, string>> = {},
): boolean {
  return Object.entries(desired).some(([key, value]) => actual[key] !== value);
}

/** The fields we decide, in the one form that defaults and orders leave. */
function contentOf(resource: Resource, object: KubeObject): unknown {
  switch (resource.kind) {
    case "Service":
      return serviceContent(object);
    case "EndpointSlice":
      return sliceContent(object);
    default:
      return endpointsContent(object);
  }
}

function serviceContent({ spec }: Service): unknown {
  return {
    type: spec?.type ?? "ClusterIP",
    sessionAffinity: spec?.sessionAffinity ?? "None",
    timeoutSeconds: spec?.sessionAffinityConfig?.clientIP?.timeoutSeconds,
    ports: (spec?.ports ?? [])
      .map(({ name = "", protocol = "TCP", port, targetPort, appProtocol }) => ({
        name,
        protocol,
        port,
        targetPort,
        appProtocol,
      }))
      .toSorted((left, right) => left.port - right.port),
  };
}

function sliceContent({ endpoints, ports, metadata }: EndpointSlice): unknown {
  return {
    owners: ownersOf(metadata),
    endpoints: (endpoints ?? []).map(({ addresses, conditions, nodeName, targetRef }) => ({
      addresses,
      ready: conditions?.ready,
      serving: conditions?.serving,
      terminating: conditions?.terminating ?? false,
      nodeName,
      target: targetRef && [targetRef.kind, targetRef.namespace, targetRef.name, targetRef.uid],
    })),
    ports: portsContent(ports ?? []),
  };
}

function endpointsContent({ subsets, metadata }: Endpoints): unknown {
  return {
    owners: ownersOf(metadata),
    subsets: (subsets ?? []).map(({ addresses, notReadyAddresses, ports }) => ({
      addresses: addressesContent(addresses ?? []),
      notReadyAddresses: addressesContent(notReadyAddresses ?? []),
      ports: portsContent(ports ?? []),
    })),
  };
}

/** In an order of its own: the API server orders the addresses of a subset. */
function addressesContent(addresses: readonly EndpointAddress[]): unknown {
  return addresses
    .map(({ ip, nodeName, targetRef }) => ({
      ip,
      nodeName,
      target: targetRef && [targetRef.kind, targetRef.namespace, targetRef.name, targetRef.uid],
    }))
    .toSorted((left, right) => (left.ip < right.ip ? -1 : 1));
}

function portsContent(
  ports: readonly { name?: string; protocol?: string; port?: number; appProtocol?: string }[],
): unknown {
  return ports
    .map(({ name = "", protocol = "TCP", port, appProtocol }) => ({
      name,
      protocol,
      port,
      appProtocol,
    }))
    .toSorted((left, right) => (left.port ?? 0) - (right.port ?? 0));
}

function ownersOf({ ownerReferences }: KubeObject["metadata"]): string[] {
  return (ownerReferences ?? []).map(({ uid }) => uid).toSorted();
}
