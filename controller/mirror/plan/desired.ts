import { ANNOTATIONS, ENDPOINT_SLICE_MANAGED_BY, LABELS, MANAGED_BY } from "../../../api/names.ts";
import {
  type Endpoint,
  type EndpointAddress,
  type Endpoints,
  type EndpointSlice,
  type EndpointSubset,
  type ObjectMeta,
  type Service,
  type ServicePort,
  splitKey,
} from "../../../api/objects.ts";
import { formatSource } from "../../../api/ownership.ts";
import type { Reason } from "../../../api/reasons.ts";
import { apiVersionOf, RESOURCES } from "../../../api/resources.ts";
import type { LinkView } from "../../link/link-view.ts";
import { copyAnnotations, copyLabels } from "./copied-metadata.ts";
import { ownedKeys } from "../../object-writer/field-ownership.ts";
import { type GatewayPod, type IpFamily, ipFamiliesOf } from "../../own-cluster/gateway-pods.ts";

const DEFAULT_AFFINITY_SECONDS = 10_800;

/** Whether a mirror takes traffic, as its annotations say. */
export interface MirrorStatus {
  readonly state: "open" | "closed";
  readonly reason: Reason;
  readonly message: string;
}

/** The mirror Service of a source. */
export function mirrorService(options: {
  view: LinkView;
  source: Service;
  mirrorKey: string;
  ports: readonly ServicePort[];
  /** One for each of `ports`. */
  egressPorts: readonly number[];
  status: MirrorStatus;
  /** The mirror that exists: what the API server chose for it stays. */
  existing: Service | undefined;
}): Service {
  const { view, source, egressPorts, status, existing } = options;
  const { namespace = "", name } = splitKey(options.mirrorKey);
  const ipFamilyPolicy = (existing ?? source).spec?.ipFamilyPolicy;
  return {
    metadata: {
      name,
      namespace,
      labels: {
        ...copyLabels(source.metadata.labels).values,
        [LABELS.managedBy]: MANAGED_BY,
        [LABELS.link]: view.name,
      },
      annotations: {
        ...copyAnnotations(source.metadata.annotations).values,
        [ANNOTATIONS.source]: formatSource({
          cluster: view.clusterName,
          namespace: source.metadata.namespace ?? "",
          name: source.metadata.name,
        }),
        ...statusAnnotations(status),
      },
    },
    spec: {
      type: "ClusterIP",
      ...(ipFamilyPolicy !== undefined && { ipFamilyPolicy }),
      ...affinityOf(source),
      ports: options.ports.map((port, index) => mirrorPort(port, egressPorts[index])),
    },
  };
}

/** A mirror Service as it is, but for its status: what is desired while the source is not known. */
export function mirrorFromExisting(mirror: Service, status: MirrorStatus): Service {
  const { metadata, spec } = mirror;
  const ipFamilyPolicy = spec?.ipFamilyPolicy;
  return {
    metadata: {
      name: metadata.name,
      ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
      labels: pick(metadata.labels, ownedKeys(mirror, "labels")),
      annotations: {
        ...pick(metadata.annotations, ownedKeys(mirror, "annotations")),
        ...statusAnnotations(status),
      },
    },
    spec: {
      type: "ClusterIP",
      ...(ipFamilyPolicy !== undefined && { ipFamilyPolicy }),
      ...affinityOf(mirror),
      ports: (spec?.ports ?? []).map((port) => mirrorPort(port, port.targetPort)),
    },
  };
}

/**
 * EndpointSlices of a mirror, one for each IP family of the Service. A closed
 * mirror keeps its endpoints, for the egress gateways to refuse: see {@link endpointsOf}.
 */
export function mirrorSlices(
  mirror: Service,
  status: MirrorStatus,
  gateways: readonly GatewayPod[],
): EndpointSlice[] {
  return ipFamiliesOf(mirror).map((family) => {
    const metadata = childMetadata(mirror, `${mirror.metadata.name}-${family.toLowerCase()}`);
    return {
      metadata: {
        ...metadata,
        labels: {
          ...metadata.labels,
          [LABELS.serviceName]: mirror.metadata.name,
          [LABELS.endpointSliceManagedBy]: ENDPOINT_SLICE_MANAGED_BY,
        },
      },
      addressType: family,
      endpoints: endpointsOf(gateways, family, status),
      ports: (mirror.spec?.ports ?? []).map(({ name = "", targetPort, appProtocol }) => ({
        name,
        protocol: "TCP",
        ...(typeof targetPort === "number" && { port: targetPort }),
        ...(appProtocol !== undefined && { appProtocol }),
      })),
    };
  });
}

/**
 * The Endpoints object of a mirror, for readers that know nothing newer. It
 * has the addresses of the first IP family, as such objects do.
 */
export function mirrorEndpoints(
  mirror: Service,
  status: MirrorStatus,
  gateways: readonly GatewayPod[],
): Endpoints {
  const metadata = childMetadata(mirror, mirror.metadata.name);
  const [family = "IPv4"] = ipFamiliesOf(mirror);
  const addresses = endpointsOf(gateways, family, status).flatMap(
    ({ addresses: [ip], nodeName, targetRef }) =>
      ip === undefined
        ? []
        : [{ ip, ...(nodeName !== undefined && { nodeName }), ...(targetRef && { targetRef }) }],
  );
  const ports = (mirror.spec?.ports ?? []).flatMap(({ name = "", targetPort, appProtocol }) =>
    typeof targetPort === "number"
      ? [
          {
            ...(name !== "" && { name }),
            port: targetPort,
            protocol: "TCP",
            ...(appProtocol !== undefined && { appProtocol }),
          },
        ]
      : [],
  );
  return {
    metadata: { ...metadata, labels: { ...metadata.labels, [LABELS.skipMirror]: "true" } },
    subsets: addresses.length === 0 ? [] : [{ ...byReadiness(addresses, status), ports }],
  };
}

function mirrorPort(port: ServicePort, targetPort: number | string | undefined): ServicePort {
  const { name = "", appProtocol } = port;
  return {
    ...(name !== "" && { name }),
    // A key of the list: server-side apply wants it even where it is the default.
    protocol: "TCP",
    port: port.port,
    ...(targetPort !== undefined && { targetPort }),
    ...(appProtocol !== undefined && { appProtocol }),
  };
}

function affinityOf({
  spec,
}: Service): Pick<NonNullable<Service["spec"]>, "sessionAffinity" | "sessionAffinityConfig"> {
  if (spec?.sessionAffinity !== "ClientIP") return { sessionAffinity: "None" };
  const timeoutSeconds =
    spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? DEFAULT_AFFINITY_SECONDS;
  return { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds } } };
}

function statusAnnotations({ state, reason, message }: MirrorStatus): Record<string, string> {
  return {
    [ANNOTATIONS.state]: state,
    [ANNOTATIONS.stateReason]: reason,
    [ANNOTATIONS.stateMessage]: message,
  };
}

/** What every object beside a mirror Service carries; it goes when the Service does. */
function childMetadata(mirror: Service, name: string): ObjectMeta {
  const { namespace, uid, labels, annotations } = mirror.metadata;
  const { services } = RESOURCES;
  return {
    name,
    ...(namespace !== undefined && { namespace }),
    labels: pick(labels, new Set([LABELS.managedBy, LABELS.link])),
    annotations: pick(annotations, new Set([ANNOTATIONS.source])),
    ...(uid !== undefined && {
      ownerReferences: [
        {
          apiVersion: apiVersionOf(services),
          kind: services.kind,
          name: mirror.metadata.name,
          uid,
        },
      ],
    }),
  };
}

/**
 * The egress gateways as endpoints. Those of a closed mirror are not ready,
 * serving and terminating: with none that is ready kube-proxy sends clients to
 * them (KEP-1669), whose closed ports refuse at once, and its rules stay the
 * same whether the mirror is open or closed.
 */
function endpointsOf(
  gateways: readonly GatewayPod[],
  family: IpFamily,
  { state }: MirrorStatus,
): Endpoint[] {
  const conditions =
    state === "open"
      ? { ready: true, serving: true }
      : { ready: false, serving: true, terminating: true };
  return gateways.flatMap(({ name, namespace, uid, nodeName, addresses }) => {
    const address = addresses[family];
    if (address === undefined) return [];
    return [
      {
        addresses: [address],
        conditions,
        ...(nodeName !== undefined && { nodeName }),
        targetRef: { kind: "Pod", namespace, name, uid },
      },
    ];
  });
}

function byReadiness(addresses: EndpointAddress[], { state }: MirrorStatus): EndpointSubset {
  return state === "open" ? { addresses } : { notReadyAddresses: addresses };
}

function pick(
  values: Readonly<Record<string, string>> | undefined,
  keys: ReadonlySet<string>,
): Record<string, string> {
  return Object.fromEntries(Object.entries(values ?? {}).filter(([key]) => keys.has(key)));
}
