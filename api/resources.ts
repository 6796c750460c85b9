import { API_GROUP, API_VERSION } from "./names.ts";

/** A kind of object as the API server addresses it. */
export interface Resource {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

function resource(group: string, version: string, plural: string, kind: string): Resource {
  return { group, version, plural, kind, namespaced: true };
}

function clusterResource(group: string, version: string, plural: string, kind: string): Resource {
  return { group, version, plural, kind, namespaced: false };
}

const RBAC = "rbac.authorization.k8s.io";
const CERT_MANAGER = "cert-manager.io";
const PROMETHEUS_OPERATOR = "monitoring.coreos.com";

/** Every resource Isthmus reads or writes. */
export const RESOURCES = {
  services: resource("", "v1", "services", "Service"),
  endpoints: resource("", "v1", "endpoints", "Endpoints"),
  secrets: resource("", "v1", "secrets", "Secret"),
  configMaps: resource("", "v1", "configmaps", "ConfigMap"),
  serviceAccounts: resource("", "v1", "serviceaccounts", "ServiceAccount"),
  pods: resource("", "v1", "pods", "Pod"),
  namespaces: clusterResource("", "v1", "namespaces", "Namespace"),
  nodes: clusterResource("", "v1", "nodes", "Node"),
  endpointSlices: resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"),
  events: resource("events.k8s.io", "v1", "events", "Event"),
  leases: resource("coordination.k8s.io", "v1", "leases", "Lease"),
  deployments: resource("apps", "v1", "deployments", "Deployment"),
  podDisruptionBudgets: resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
  roles: resource(RBAC, "v1", "roles", "Role"),
  roleBindings: resource(RBAC, "v1", "rolebindings", "RoleBinding"),
  clusterRoles: clusterResource(RBAC, "v1", "clusterroles", "ClusterRole"),
  clusterRoleBindings: clusterResource(RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding"),
  customResourceDefinitions: clusterResource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
  ),
  networkPolicies: resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy"),
  issuers: resource(CERT_MANAGER, "v1", "issuers", "Issuer"),
  certificates: resource(CERT_MANAGER, "v1", "certificates", "Certificate"),
  podMonitors: resource(PROMETHEUS_OPERATOR, "v1", "podmonitors", "PodMonitor"),
  serviceMonitors: resource(PROMETHEUS_OPERATOR, "v1", "servicemonitors", "ServiceMonitor"),
  prometheusRules: resource(PROMETHEUS_OPERATOR, "v1", "prometheusrules", "PrometheusRule"),
  links: resource(API_GROUP, API_VERSION, "links", "Link"),
  peers: resource(API_GROUP, API_VERSION, "peers", "Peer"),
} as const satisfies Record<string, Resource>;

/** `apiVersion` of a resource's objects: `v1`, `apps/v1`, … */
export function apiVersionOf({ group, version }: Resource): string {
  return group === "" ? version : `${group}/${version}`;
}

/** The resource of an object's apiVersion and kind, if Isthmus knows it. */
export function resourceOf(apiVersion: string, kind: string): Resource | undefined {
  return Object.values(RESOURCES).find(
    (candidate: Resource) => candidate.kind === kind && apiVersionOf(candidate) === apiVersion,
  );
}
