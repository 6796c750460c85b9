import type { Api } from "./api.ts";
import { poll } from "./poll.ts";

const systemLabels = { "app.kubernetes.io/managed-by": "isthmus-bed" };
const rbac = "/apis/rbac.authorization.k8s.io/v1";

/**
 * Points the Service `kubernetes` at the API server. The address is one that pods reach through their node, which is
 * why the API server, bound to the fabric, does not write it.
 */
export async function writeKubernetesEndpoints(
  api: Api,
  address: string,
  port: number,
): Promise<void> {
  await api.create("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: "kubernetes",
      labels: { ...systemLabels, "kubernetes.io/service-name": "kubernetes" },
    },
    addressType: "IPv4",
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports: [{ name: "https", port, protocol: "TCP" }],
  });
}

/** Lets CoreDNS, with the name of its client certificate, read what it answers from. */
export async function writeDnsRole(api: Api, user: string): Promise<void> {
  await api.create(`${rbac}/clusterroles`, {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRole",
    metadata: { name: user, labels: systemLabels },
    rules: [
      { apiGroups: [""], resources: ["services", "namespaces", "pods"], verbs: ["list", "watch"] },
      { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list", "watch"] },
    ],
  });
  await api.create(`${rbac}/clusterrolebindings`, {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name: user, labels: systemLabels },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: user },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: user }],
  });
}

const admissionTimeoutMs = 30_000;

/** Waits for the namespace default's ServiceAccount and the authority's ConfigMap: no pod is admitted or starts before. */
export async function waitForPodAdmission(api: Api, signal?: AbortSignal): Promise<void> {
  const namespace = "/api/v1/namespaces/default";
  const attempt = async () => {
    await api.request("GET", `${namespace}/serviceaccounts/default`);
    await api.request("GET", `${namespace}/configmaps/kube-root-ca.crt`);
    return true;
  };
  await poll("the default ServiceAccount exists", attempt, {
    timeoutMs: admissionTimeoutMs,
    signal,
  });
}
