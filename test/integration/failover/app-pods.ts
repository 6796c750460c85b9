import type { KubeObject } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { KubeClient } from "../../../kube/client/client.ts";
import { poll } from "../../bed/poll.ts";
import { NAMESPACE } from "./shop.ts";

/**
 * Makes a Pod with label `app` that never runs, and says of it that it does. The EndpointSlice controller takes only one
 * that is not ready without the Node that it is on.
 */
export async function makeAppPod(
  east: KubeClient,
  app: string,
  ready: boolean,
  nodeName?: string,
): Promise<void> {
  const pod = {
    metadata: { namespace: NAMESPACE, name: app, labels: { app } },
    spec: {
      ...(nodeName === undefined
        ? { schedulingGates: [{ name: "isthmus.dev/test" }] }
        : { nodeName }),
      automountServiceAccountToken: false,
      containers: [{ name: "app", image: "localhost/none" }],
    },
  };
  // Admission looks for the default ServiceAccount, which a new namespace gets a moment later.
  await poll(`Pod ${app}`, async () => await east.create<KubeObject>(RESOURCES.pods, pod), {
    timeoutMs: 15_000,
  });
  await setAppReady(east, app, ready);
}

/** Makes a Node that nothing runs on. */
export async function makeNode(east: KubeClient, name: string): Promise<void> {
  await east.create<KubeObject>(RESOURCES.nodes, { metadata: { name } });
}

/** Says whether the Pod is ready. */
export async function setAppReady(east: KubeClient, app: string, ready: boolean): Promise<void> {
  const status = {
    phase: "Running",
    conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
    podIP: "10.9.9.8",
    podIPs: [{ ip: "10.9.9.8" }],
  };
  const key = { namespace: NAMESPACE, name: app };
  await east.patch(RESOURCES.pods, key, { status }, { type: "merge", subresource: "status" });
}
