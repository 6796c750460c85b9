import { readFile } from "node:fs/promises";
import { parseAllDocuments } from "yaml";
import { CONTROLLER_NAME, GATEWAY_NAME, INSTALL_NAMESPACE, LABELS } from "../../../api/names.ts";
import type { KubeObject, Pod, Service } from "../../../api/objects.ts";
import { resourceOf, RESOURCES } from "../../../api/resources.ts";
import { createKubeClient, type KubeClient } from "../../../kube/client/client.ts";
import { poll } from "../../bed/poll.ts";
import { adminConfig, configFor } from "../fixtures.ts";

const MANIFESTS = new URL("../../../manifests/base/", import.meta.url);

/**
 * A consumer cluster that no file uses beside this one: other controllers would take its mirrors for leftovers. Of the
 * control planes of each worker `north` is the one in which no other file mirrors anything.
 */
export interface ConsumerCluster {
  readonly admin: KubeClient;
  /** A client as the controller's ServiceAccount under the shipped RBAC. */
  controllerClient(): Promise<KubeClient>;
  down(): Promise<void>;
}

/** Puts Isthmus' namespace and RBAC into the cluster; whoever takes it down removes the gateway Pods. */
export async function startConsumer(): Promise<ConsumerCluster> {
  const admin = createKubeClient(adminConfig("north"));
  for (const file of ["namespace.yaml", "rbac-controller.yaml"]) await applyFile(admin, file);
  return {
    admin,
    controllerClient: async () => await clientOfController(admin),
    down: async () => {
      const { items } = await admin.list<Pod>(RESOURCES.pods, { namespace: INSTALL_NAMESPACE });
      for (const { metadata } of items) await admin.remove(RESOURCES.pods, metadata);
      await admin.close();
    },
  };
}

/** Makes a namespace; without waiting for its default ServiceAccount. */
export async function makeNamespace(admin: KubeClient, name: string): Promise<void> {
  await admin.create<KubeObject>(RESOURCES.namespaces, { metadata: { name } });
}

/** Makes a local Service of somebody else. */
export async function makeForeignService(
  admin: KubeClient,
  namespace: string,
  name: string,
): Promise<Service> {
  return await admin.create<Service>(RESOURCES.services, {
    metadata: { namespace, name },
    spec: { ports: [{ name: "http", port: 80 }] },
  });
}

/** Makes an egress gateway Pod that is Ready, at addresses where nothing is. */
export async function makeGatewayPod(
  admin: KubeClient,
  name: string,
  ...ips: string[]
): Promise<Pod> {
  const pod = {
    metadata: { namespace: INSTALL_NAMESPACE, name, labels: { [LABELS.name]: GATEWAY_NAME } },
    spec: {
      // Never run: no scheduler takes a gated Pod.
      schedulingGates: [{ name: "isthmus.dev/test" }],
      serviceAccountName: CONTROLLER_NAME,
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: "gateway",
          image: "localhost/none",
          securityContext: {
            allowPrivilegeEscalation: false,
            capabilities: { drop: ["ALL"] },
          },
        },
      ],
    },
  };
  // Admission looks for the ServiceAccount in a cache of its own.
  await poll(`Pod ${name}`, async () => await admin.create<KubeObject>(RESOURCES.pods, pod), {
    timeoutMs: 15_000,
  });
  return await setGatewayReady(admin, name, true, ...ips);
}

/** Reports a gateway Pod as Ready or not. */
export async function setGatewayReady(
  admin: KubeClient,
  name: string,
  ready: boolean,
  ...ips: string[]
): Promise<Pod> {
  const status = {
    phase: "Running",
    conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
    ...(ips.length > 0 && { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }),
  };
  return await admin.patch<Pod>(
    RESOURCES.pods,
    { namespace: INSTALL_NAMESPACE, name },
    { status },
    { type: "merge", subresource: "status" },
  );
}

async function applyFile(admin: KubeClient, file: string): Promise<void> {
  const text = await readFile(new URL(file, MANIFESTS), "utf8");
  for (const document of parseAllDocuments(text)) {
    const object: KubeObject = document.toJS();
    const resource = resourceOf(object.apiVersion ?? "", object.kind ?? "");
    if (resource === undefined) throw new Error(`${file}: unknown kind ${object.kind ?? ""}`);
    await admin.apply(resource, object, { fieldManager: "test", force: true });
  }
}

async function clientOfController(admin: KubeClient): Promise<KubeClient> {
  const account = `/api/v1/namespaces/${INSTALL_NAMESPACE}/serviceaccounts/${CONTROLLER_NAME}`;
  const { status } = await admin.request<{ status: { token: string } }>({
    method: "POST",
    path: `${account}/token`,
    body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} },
  });
  const { server = "", caData = "" } = adminConfig("north").getCurrentCluster() ?? {};
  const caPem = Buffer.from(caData, "base64").toString();
  return createKubeClient(configFor({ server, caPem }, { token: status.token }));
}
