import { KubeConfig } from "@kubernetes/client-node";
import { expect, onTestFinished, test } from "vitest";
import type { ConfigMap } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { ApiError, KubeConnectionError } from "../../../kube/client/api-error.ts";
import { createKubeClient, type WatchEvent } from "../../../kube/client/client.ts";
import { startConnectProxy } from "../../faults/connect-proxy.ts";
import { startTcpProxy } from "../../faults/tcp-proxy.ts";
import {
  adminClient,
  adminConfig,
  clientThrough,
  closedAtEnd,
  configFor,
  faultProxy,
  testNamespace,
} from "../fixtures.ts";

const { configMaps } = RESOURCES;

/** The administrator's kubeconfig with another address and whatever else is to differ. */
function redirected(
  server: string,
  changes: { caData?: string; proxyUrl?: string } = {},
): KubeConfig {
  const config = adminConfig("west");
  const cluster = config.getCurrentCluster();
  const user = config.getCurrentUser();
  if (cluster === null || user === null) throw new Error("incomplete kubeconfig");
  const copy = new KubeConfig();
  copy.loadFromClusterAndUser({ ...cluster, server, ...changes }, user);
  return copy;
}

async function countingProxy() {
  const url = new URL(adminClient("west").server);
  const proxy = await startTcpProxy(url.hostname, Number(url.port));
  onTestFinished(async () => await proxy.close());
  return proxy;
}

test("a hundred requests one after the other share one TLS connection", async () => {
  const proxy = await countingProxy();
  const client = closedAtEnd(createKubeClient(redirected(`https://127.0.0.1:${proxy.port}`)));
  for (let count = 0; count < 100; count += 1) {
    await client.list(configMaps, { namespace: "default", limit: 1 });
  }
  expect(proxy.connections).toBe(1);
});

test("a hundred requests at once use no more connections than allowed", async () => {
  const proxy = await countingProxy();
  const config = redirected(`https://127.0.0.1:${proxy.port}`);
  const client = closedAtEnd(createKubeClient(config, { connections: 3 }));
  await Promise.all(
    Array.from({ length: 100 }, async () => await client.list(configMaps, { limit: 1 })),
  );
  expect(proxy.connections).toBe(3);
});

test("a watch has its own connection and does not hold up requests", async () => {
  const proxy = await countingProxy();
  const config = redirected(`https://127.0.0.1:${proxy.port}`);
  const client = closedAtEnd(createKubeClient(config, { connections: 1 }));
  const namespace = await testNamespace(adminClient("west"));
  const { resourceVersion } = await client.list(configMaps, { namespace });
  const signal = new AbortController();
  const seen: WatchEvent[] = [];
  const watching = (async () => {
    const options = { namespace, resourceVersion, signal: signal.signal };
    for await (const event of client.watch(configMaps, options)) {
      seen.push(event);
      if (event.type === "DELETED") return;
    }
  })();
  await client.create<ConfigMap>(configMaps, { metadata: { namespace, name: "one" } });
  await client.remove(configMaps, { namespace, name: "one" });
  await watching;
  expect(seen.map(({ type }) => type)).toEqual(["ADDED", "DELETED"]);
  expect(proxy.connections).toBe(2);
});

test("a proxy of the kubeconfig is used, with one tunnel for requests and one for a watch", async () => {
  const proxy = await startConnectProxy();
  onTestFinished(async () => await proxy.close());
  const { server } = adminClient("west");
  const config = redirected(server, { proxyUrl: proxy.url });
  const client = closedAtEnd(createKubeClient(config));
  const { resourceVersion } = await client.list(configMaps, { limit: 1 });
  await client.list(configMaps, { limit: 1 });
  const { signal } = new AbortController();
  const watch = client.watch(configMaps, { resourceVersion, timeoutSeconds: 1, signal });
  for await (const event of watch) expect(event.type).not.toBe("ERROR");
  expect(proxy.tunnels).toEqual([new URL(server).host, new URL(server).host]);
});

test("objects are created, read, applied, patched, replaced and removed", async () => {
  const client = adminClient("west");
  const namespace = await testNamespace(client);
  const key = { namespace, name: "one" };
  const created = await client.create<ConfigMap>(configMaps, { metadata: key, data: { a: "1" } });
  expect(created).toMatchObject({ apiVersion: "v1", kind: "ConfigMap", data: { a: "1" } });
  await expect(client.create(configMaps, { metadata: key })).rejects.toMatchObject({
    statusCode: 409,
    reason: "AlreadyExists",
  });
  const applied = await client.apply<ConfigMap>(
    configMaps,
    { metadata: key, data: { b: "2" } },
    { fieldManager: "test" },
  );
  expect(applied.data).toEqual({ a: "1", b: "2" });
  const patched = await client.patch<ConfigMap>(
    configMaps,
    key,
    { data: { a: null } },
    { type: "merge" },
  );
  expect(patched.data).toEqual({ b: "2" });
  const replaced = await client.replace<ConfigMap>(configMaps, { ...patched, data: { c: "3" } });
  expect(replaced.data).toEqual({ c: "3" });
  await expect(client.replace(configMaps, patched)).rejects.toMatchObject({ reason: "Conflict" });
  expect(await client.get(configMaps, key)).toEqual(replaced);
  await client.remove(configMaps, key);
  expect(await client.find(configMaps, key)).toBeUndefined();
  await client.remove(configMaps, key);
});

test("apply and remove refuse an object with another uid, and apply one that is gone", async () => {
  const client = adminClient("west");
  const namespace = await testNamespace(client);
  const key = { namespace, name: "one" };
  await client.create<ConfigMap>(configMaps, { metadata: key });
  const uid = "00000000-0000-4000-8000-000000000000";
  const options = { fieldManager: "test", force: true };
  await expect(
    client.apply(configMaps, { metadata: { ...key, uid } }, options),
  ).rejects.toMatchObject({ statusCode: 422, reason: "Invalid" });
  await expect(
    client.apply(configMaps, { metadata: { namespace, name: "gone", uid } }, options),
  ).rejects.toMatchObject({ statusCode: 409, reason: "Conflict" });
  await expect(client.remove(configMaps, key, { uid })).rejects.toMatchObject({ statusCode: 409 });
  expect(await client.find(configMaps, key)).toBeDefined();
});

test("a list is handed out page by page, each object with its kind", async () => {
  const client = adminClient("west");
  const namespace = await testNamespace(client);
  for (const name of ["a", "b", "c"]) {
    await client.create<ConfigMap>(configMaps, { metadata: { namespace, name } });
  }
  const options = { namespace, limit: 2, fieldSelector: "metadata.name!=kube-root-ca.crt" };
  const first = await client.list<ConfigMap>(configMaps, options);
  const { continueToken = "" } = first;
  const second = await client.list<ConfigMap>(configMaps, { ...options, continueToken });
  const items = [...first.items, ...second.items];
  expect(items.map(({ kind, metadata }) => [kind, metadata.name])).toEqual([
    ["ConfigMap", "a"],
    ["ConfigMap", "b"],
    ["ConfigMap", "c"],
  ]);
  expect(second.continueToken).toBeUndefined();
});

test("a missing permission names the verb and the resource", async () => {
  const admin = adminClient("west");
  const namespace = await testNamespace(admin);
  const account = { namespace, name: "nobody" };
  await admin.create(RESOURCES.serviceAccounts, { metadata: account });
  const { status } = await admin.request<{ status: { token: string } }>({
    method: "POST",
    path: `/api/v1/namespaces/${namespace}/serviceaccounts/nobody/token`,
    body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} },
  });
  const cluster = adminConfig("west").getCurrentCluster();
  const caPem = Buffer.from(cluster?.caData ?? "", "base64").toString("utf8");
  const config = configFor({ server: admin.server, caPem }, { token: status.token });
  const client = closedAtEnd(createKubeClient(config));
  await expect(client.list(RESOURCES.secrets, { namespace })).rejects.toThrow(
    /403 Forbidden: .*cannot list resource "secrets"/,
  );
});

test("a rejected token is an Unauthorized answer", async () => {
  const proxy = await faultProxy("west");
  const client = closedAtEnd(createKubeClient(configFor(proxy, { token: "not-a-token" })));
  await expect(client.list(configMaps)).rejects.toMatchObject({
    statusCode: 401,
    reason: "Unauthorized",
  });
});

test("a server that is not there is a connection error with its URL and code", async () => {
  const proxy = await countingProxy();
  await proxy.close();
  const server = `https://127.0.0.1:${proxy.port}`;
  const client = closedAtEnd(createKubeClient(redirected(server)));
  const error = await client.list(configMaps).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(KubeConnectionError);
  expect(error).toMatchObject({ code: "ECONNREFUSED", failure: "network", server });
  expect(String(error)).toContain(server);
});

test("a certificate of another authority is a TLS failure", async () => {
  const { caPem } = await faultProxy("west");
  const { server } = adminClient("west");
  const client = closedAtEnd(
    createKubeClient(redirected(server, { caData: Buffer.from(caPem).toString("base64") })),
  );
  await expect(client.list(configMaps)).rejects.toMatchObject({
    name: "KubeConnectionError",
    failure: "tls",
  });
});

test("a server that never answers is given up after the request timeout", async () => {
  const proxy = await faultProxy("west");
  proxy.inject({ match: "list", fault: { type: "hang" } });
  const client = clientThrough(proxy, { requestTimeoutMs: 300 });
  await expect(client.list(configMaps)).rejects.toMatchObject({
    code: "REQUEST_TIMEOUT",
    failure: "timeout",
  });
  await client.list(configMaps, { limit: 1 });
});

test("the caller's abort comes through as it is", async () => {
  const proxy = await faultProxy("west");
  proxy.inject({ match: "list", fault: { type: "hang" } });
  const controller = new AbortController();
  const listing = clientThrough(proxy).list(configMaps, { signal: controller.signal });
  const reason = new Error("enough");
  controller.abort(reason);
  await expect(listing).rejects.toBe(reason);
});

test("a login page with status 200 is an unusable answer, not an empty list", async () => {
  const proxy = await faultProxy("west");
  const headers = { "content-type": "text/html" };
  const body = "<html>please log in</html>";
  proxy.inject({ match: "list", fault: { type: "respond", statusCode: 200, headers, body } });
  await expect(clientThrough(proxy).list(configMaps)).rejects.toMatchObject({
    code: "INVALID_RESPONSE",
    failure: "protocol",
  });
});

test("an answer larger than the bound is not read to its end", async () => {
  const client = adminClient("west", { maxResponseBytes: 1000 });
  const system = { name: "system:controller:generic-garbage-collector" };
  await expect(client.list(RESOURCES.clusterRoles)).rejects.toMatchObject({
    code: "RESPONSE_TOO_LARGE",
  });
  expect(await client.find(RESOURCES.clusterRoles, system)).toBeDefined();
});

test("an overloaded server says how long to wait", async () => {
  const proxy = await faultProxy("west");
  const fault = {
    type: "respond",
    statusCode: 429,
    headers: { "retry-after": "7" },
    body: "",
  } as const;
  proxy.inject({ match: "list", fault });
  const error = await clientThrough(proxy)
    .list(configMaps)
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ statusCode: 429, reason: "TooManyRequests", retryAfterMs: 7000 });
});

test("a closed client refuses further requests", async () => {
  const client = adminClient("west");
  await client.list(configMaps, { limit: 1 });
  await client.close();
  await expect(client.list(configMaps)).rejects.toMatchObject({ code: "CLOSED" });
});
