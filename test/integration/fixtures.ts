import { randomUUID } from "node:crypto";
import { KubeConfig } from "@kubernetes/client-node";
import { inject, onTestFinished } from "vitest";
import type { KubeObject } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import {
  createKubeClient,
  type KubeClient,
  type KubeClientOptions,
} from "../../kube/client/client.ts";
import { loadKubeconfig } from "../../kube/kubeconfig/kubeconfig.ts";
import { type FaultProxy, startFaultProxy } from "../faults/fault-proxy.ts";
import { poll } from "../bed/poll.ts";

/** The control planes that every integration test finds running. */
export type ClusterName = "west" | "east" | "north";

/** The administrator's kubeconfig of a cluster, of the set that this worker has for itself: its path. */
export function adminKubeconfigPath(cluster: ClusterName): string {
  const worker = Number(process.env["VITEST_POOL_ID"]);
  const path = inject("kubeconfigs")[worker - 1]?.[cluster];
  if (path === undefined) throw new Error(`worker ${worker} has no control planes`);
  return path;
}

/** That kubeconfig, read. */
export function adminConfig(cluster: ClusterName): KubeConfig {
  return loadKubeconfig({ path: adminKubeconfigPath(cluster) });
}

/** A client with all rights on a cluster, closed when the test ends. */
export function adminClient(cluster: ClusterName, options?: KubeClientOptions): KubeClient {
  return closedAtEnd(createKubeClient(adminConfig(cluster), options));
}

/** Closes a client when the test ends. */
export function closedAtEnd(client: KubeClient): KubeClient {
  onTestFinished(async () => await client.close());
  return client;
}

/** Makes a namespace of a name of its own, deleted when the test ends; returns the name. */
export async function testNamespace(client: KubeClient): Promise<string> {
  const name = `test-${randomUUID().slice(0, 13)}`;
  await client.create<KubeObject>(RESOURCES.namespaces, { metadata: { name } });
  onTestFinished(async () => await client.remove(RESOURCES.namespaces, { name }));
  return name;
}

/** A fault proxy in front of a cluster's API server, closed when the test ends. */
export async function faultProxy(cluster: ClusterName): Promise<FaultProxy> {
  const config = adminConfig(cluster);
  const server = config.getCurrentCluster();
  const user = config.getCurrentUser();
  const proxy = await startFaultProxy({
    server: server?.server ?? "",
    caPem: fromBase64(server?.caData),
    certPem: fromBase64(user?.certData),
    keyPem: fromBase64(user?.keyData),
  });
  onTestFinished(async () => await proxy.close());
  return proxy;
}

/** A kubeconfig for a server that a test started, by default without any credentials of its own. */
export function configFor(
  { server, caPem }: { server: string; caPem: string },
  user: { token?: string; tokenFile?: string } = {},
): KubeConfig {
  const config = new KubeConfig();
  const { token, tokenFile } = user;
  config.loadFromClusterAndUser(
    { name: "test", server, caData: Buffer.from(caPem).toString("base64"), skipTLSVerify: false },
    {
      name: "test",
      ...(token !== undefined && { token }),
      ...(tokenFile !== undefined && {
        authProvider: { name: "tokenFile", config: { tokenFile } },
      }),
    },
  );
  return config;
}

/** A client through a fault proxy, closed when the test ends. */
export function clientThrough(
  proxy: { server: string; caPem: string },
  options?: KubeClientOptions,
): KubeClient {
  return closedAtEnd(createKubeClient(configFor(proxy), options));
}

/**
 * Repeats `assertion` until it does not throw, and returns what it returned.
 *
 * @throws Error with the assertion's last complaint when `timeoutMs` has passed
 */
export async function eventually<T>(
  assertion: () => T | Promise<T>,
  options: { timeoutMs?: number; describe: string },
): Promise<T> {
  const held = await poll(options.describe, async () => ({ value: await assertion() }), {
    timeoutMs: options.timeoutMs ?? 15_000,
  });
  return held.value;
}

function fromBase64(text: string | undefined): string {
  return Buffer.from(text ?? "", "base64").toString("utf8");
}
