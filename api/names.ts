/** Every name that more than one part of Isthmus has to agree on. */

export const API_GROUP = "isthmus.dev";
export const API_VERSION = "v1alpha1";
export const INSTALL_NAMESPACE = "isthmus-system";

export const CONTROLLER_NAME = "isthmus-controller";
export const GATEWAY_NAME = "isthmus-gateway";
/** The Lease that the controller's replicas contend for. */
export const LEADER_LEASE_NAME = "isthmus-controller";

/** Field manager of every object the controller writes with server-side apply. */
export const CONTROLLER_FIELD_MANAGER = "isthmus-controller";
/** Field manager of what `link` writes. */
export const CLI_FIELD_MANAGER = "isthmus-link";

/** ConfigMap written at install: `clusterName` is this cluster's name among its peers. */
export const CONFIG_MAP_NAME = "isthmus-config";
export const CONFIG_CLUSTER_NAME_KEY = "clusterName";
/** The version whose manifests were applied. */
export const CONFIG_VERSION_KEY = "version";
/** A key of this and a component's name says that the component was applied, too. */
export const CONFIG_COMPONENT_PREFIX = "component.";
/** The only namespaces that mirrors and exports may be in, with commas between; absent: all. */
export const CONFIG_NAMESPACES_KEY = "namespaces";
/** ConfigMap the controller publishes for linked clusters: who we are and which CA vouches for it. */
export const IDENTITY_CONFIG_MAP_NAME = "isthmus-identity";
export const IDENTITY_KEYS = {
  clusterName: "clusterName",
  gatewayIdentity: "gatewayIdentity",
  trustBundle: "ca.crt",
  /** The only namespaces that linked clusters may read, `shop,payments`; absent: all. */
  namespaces: "namespaces",
} as const;

/** Secret with the cluster's own CA: `tls.crt`, `tls.key`, and `ca.crt` with what others have to trust besides. */
export const CA_SECRET_NAME = "isthmus-ca";
/** In that Secret, while the CA is rotated: the one that comes next, or the one before (docs/rotation.md). */
export const CA_ROTATION_KEYS = {
  nextCertificate: "next.crt",
  nextKey: "next.key",
  previousCertificate: "previous.crt",
} as const;
/** Annotations of that Secret. */
export const CA_ROTATION_ANNOTATIONS = {
  /** Asks for a rotation; any text, each asks once. */
  requested: "isthmus.dev/rotate",
  /** The last request that was carried out. */
  finished: "isthmus.dev/rotated",
  /** How far a rotation is, as JSON. */
  progress: "isthmus.dev/rotation",
} as const;
/** Secret with the gateways' leaf: `tls.crt`, `tls.key`. */
export const GATEWAY_TLS_SECRET_NAME = "isthmus-gateway-tls";

/** Key of a link's credentials Secret that holds the kubeconfig. */
export const KUBECONFIG_KEY = "kubeconfig";
/** Key beside it with the last token that the controller renewed it by: also there when the kubeconfig is put back. */
export const RENEWED_TOKEN_KEY = "renewedToken";

export const INGRESS_PORT = 15008;
/** Path on the ingress gateway that tells an authenticated peer whether it serves. */
export const GATEWAY_READY_PATH = "/.isthmus/ready";
/** Of its answer: `true` once the gateway drains; the next session should be another one. */
export const GATEWAY_DRAINING_HEADER = "isthmus-draining";
/** Path on the ingress gateway by which an authenticated peer tries what sizes the path to it lets through. */
export const GATEWAY_PATH_TEST_PATH = "/.isthmus/path-test";
/** Of such a request: how many bytes the answer is to have. */
export const PATH_TEST_ANSWER_HEADER = "isthmus-answer-bytes";
/** Of its body and of its answer, at most. */
export const PATH_TEST_MAX_BYTES = 64 * 1024;
export const GATEWAY_HEALTH_PORT = 15020;
export const CONTROLLER_HEALTH_PORT = 15030;
/** Egress ports, both inclusive; each port of each mirror has one of its own. */
export const EGRESS_PORT_MIN = 10_000;
export const EGRESS_PORT_MAX = 29_999;

/** Whether a mirror may have this port of the egress gateway: in the range, and none that the gateway itself listens on. */
export function isEgressPort(port: number): boolean {
  const isInRange = port >= EGRESS_PORT_MIN && port <= EGRESS_PORT_MAX;
  return isInRange && port !== INGRESS_PORT && port !== GATEWAY_HEALTH_PORT;
}

export const LABELS = {
  managedBy: "app.kubernetes.io/managed-by",
  name: "app.kubernetes.io/name",
  link: "isthmus.dev/link",
  serviceName: "kubernetes.io/service-name",
  endpointSliceManagedBy: "endpointslice.kubernetes.io/managed-by",
  skipMirror: "endpointslice.kubernetes.io/skip-mirror",
  /** On the EndpointSlices by which a Service fails over: the name of that Service. */
  failoverFor: "isthmus.dev/failover-for",
  /** On the Secret of a join token that is pending, and on its rights: the consumer it is for. */
  joinToken: "isthmus.dev/join-token",
} as const;
export const MANAGED_BY = "isthmus";
/** Value of `endpointslice.kubernetes.io/managed-by` on our slices. */
export const ENDPOINT_SLICE_MANAGED_BY = "controller.isthmus.dev";

export const ANNOTATIONS = {
  export: "isthmus.dev/export",
  exportTo: "isthmus.dev/export-to",
  exportPorts: "isthmus.dev/export-ports",
  failover: "isthmus.dev/failover",
  failoverMode: "isthmus.dev/failover-mode",
  failoverPorts: "isthmus.dev/failover-ports",
  failoverActivateAfter: "isthmus.dev/failover-activate-after",
  failoverFailbackAfter: "isthmus.dev/failover-failback-after",
  /** On a mirror: `cluster/namespace/name` of the Service it stands for; on failover slices: of their target. */
  source: "isthmus.dev/source",
  /** On a mirror: `open` or `closed`; on failover slices: a failover state. With the reason beside it. */
  state: "isthmus.dev/state",
  stateReason: "isthmus.dev/state-reason",
  stateMessage: "isthmus.dev/state-message",
  /** On failover slices: since when, RFC 3339. */
  stateSince: "isthmus.dev/state-since",
  /** On a namespace that createNamespaces made. */
  createdFor: "isthmus.dev/created-for",
  /** On the gateways' leaf: until when join tokens are taken, RFC 3339. */
  joinUntil: "isthmus.dev/join-until",
  /** On a Peer: the id of the join token that made it. */
  joinedBy: "isthmus.dev/joined-by",
  /** On our pods: the namespaces they were started for. */
  namespaces: "isthmus.dev/namespaces",
} as const;

export const LINK_FINALIZER = "isthmus.dev/mirrors";

/** The provider-side ClusterRole that link credentials are bound to. */
export const LINK_CLUSTER_ROLE = "isthmus-link";

/** ServiceAccount (and Role, RoleBinding, ClusterRoleBinding) on the provider for one consumer. */
export function linkServiceAccountName(consumer: string): string {
  return `isthmus-link-${consumer}`;
}

/** Secret, Role and RoleBinding on the provider for a join token of one consumer. */
export function joinTokenName(consumer: string): string {
  return `isthmus-join-token-${consumer}`;
}

/** Secret on the consumer with the kubeconfig for one provider. */
export function linkCredentialsSecretName(provider: string): string {
  return `isthmus-link-${provider}`;
}

/** URI SAN of a cluster's gateways (a SPIFFE ID, trust domain = cluster name). */
export function gatewayIdentity(clusterName: string): string {
  return `spiffe://${clusterName}/isthmus/gateway`;
}

const SNI_SUFFIX = ".peer.isthmus";

/** The SNI by which a consumer names itself to a provider's ingress. */
export function peerServerName(consumer: string): string {
  return `${consumer}${SNI_SUFFIX}`;
}

/** The consumer a server name stands for, or undefined when it is not of our form. */
export function consumerOfServerName(serverName: string): string | undefined {
  const consumer = serverName.endsWith(SNI_SUFFIX) ? serverName.slice(0, -SNI_SUFFIX.length) : "";
  return consumer !== "" && !consumer.includes(".") ? consumer : undefined;
}

/** Authority of the CONNECT stream for one port of a provider's Service. */
export function connectAuthority(namespace: string, service: string, port: number): string {
  return `${service}.${namespace}.svc:${port}`;
}
