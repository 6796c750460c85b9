import { readFile } from "node:fs/promises";
import { onTestFinished } from "vitest";
import { parseAllDocuments } from "yaml";
import { GATEWAY_NAME } from "../../../api/names.ts";
import type { KubeObject } from "../../../api/objects.ts";
import { RESOURCES, resourceOf } from "../../../api/resources.ts";
import { type KubeClient, createKubeClient } from "../../../kube/client/client.ts";
import { type ClusterName, adminConfig, closedAtEnd, configFor } from "../fixtures.ts";
import type { ClusterObjects } from "./cluster-objects.ts";

const RBAC = new URL("../../../manifests/base/rbac-gateway.yaml", import.meta.url);

/**
 * A client as the gateway's ServiceAccount with the RBAC that is shipped, moved
 * to the namespace of the test. What it binds in the whole cluster has a name
 * of its own, and goes with the test.
 */
export async function gatewayAccount(
  { client: admin, namespace }: ClusterObjects,
  cluster: ClusterName,
): Promise<KubeClient> {
  for (const document of parseAllDocuments(await readFile(RBAC, "utf8"))) {
    const object: KubeObject & { subjects?: { namespace: string }[] } = document.toJS();
    const resource = resourceOf(object.apiVersion ?? "", object.kind ?? "");
    if (resource === undefined) throw new Error(`unknown kind ${object.kind ?? ""}`);
    for (const subject of object.subjects ?? []) subject.namespace = namespace;
    if (resource.namespaced) object.metadata.namespace = namespace;
    if (resource === RESOURCES.clusterRoleBindings) {
      const name = `${object.metadata.name}-${namespace}`;
      object.metadata.name = name;
      onTestFinished(async () => await admin.remove(resource, { name }));
    }
    await admin.apply(resource, object, { fieldManager: "test" });
  }
  return await accountClient(admin, cluster, { namespace, name: GATEWAY_NAME });
}

/** A client with a token of a ServiceAccount, closed with the test. */
export async function accountClient(
  admin: KubeClient,
  cluster: ClusterName,
  { namespace, name }: { namespace: string; name: string },
): Promise<KubeClient> {
  const { status } = await admin.request<{ status: { token: string } }>({
    method: "POST",
    path: `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`,
    body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} },
  });
  const { server = "", caData = "" } = adminConfig(cluster).getCurrentCluster() ?? {};
  const caPem = Buffer.from(caData, "base64").toString("utf8");
  return closedAtEnd(createKubeClient(configFor({ server, caPem }, { token: status.token })));
}
