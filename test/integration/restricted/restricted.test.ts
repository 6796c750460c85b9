import { networkInterfaces } from "node:os";
import { beforeAll, expect, test } from "vitest";
import {
  ANNOTATIONS,
  CONTROLLER_NAME,
  GATEWAY_NAME,
  INSTALL_NAMESPACE,
  LINK_CLUSTER_ROLE,
  linkServiceAccountName,
} from "../../../api/names.ts";
import type { KubeObject } from "../../../api/objects.ts";
import { failoverSliceName } from "../../../api/ownership.ts";
import { type Resource, RESOURCES } from "../../../api/resources.ts";
import { eventually } from "../fixtures.ts";
import { hear, startBackend } from "../gateway/loopback.ts";
import { makeGatewayPod } from "../mirror/consumer-cluster.ts";
import { LISTED, type Side, useSides } from "./restricted-world.ts";

/** Isthmus in listed namespaces of both clusters, of which `later` is made by a test; `other` is not listed. */
const sides = useSides();
const { services, endpointSlices, namespaces, clusterRoleBindings, roleBindings } = RESOURCES;

beforeAll(async () => {
  const { west, east, link } = sides();
  await makeGatewayPod(east.admin, "gateway-a", "10.1.0.5");
  await Promise.all([west.run(LISTED), east.run(LISTED)]);
  await link();
}, 90_000);

/** A backend on our end of the clusters' own network: an endpoint may not be on loopback. */
async function startOnFabric(side: Side): Promise<{ host: string; port: number }> {
  const [prefix = ""] = /^\d+\.\d+\./.exec(new URL(side.cluster.server).hostname) ?? [];
  const addresses = Object.values(networkInterfaces()).flatMap((all = []) => all);
  const host = addresses.find(({ address }) => address.startsWith(prefix))?.address;
  if (host === undefined) throw new Error(`no address of ours begins with ${prefix}`);
  const port = await startBackend((socket) => socket.pipe(socket), { host });
  return { host, port };
}

async function untilAnswers(port: number): Promise<string> {
  return await eventually(
    async () => {
      const answer = await hear(port, "x");
      if (answer !== "xend") throw new Error(answer);
      return answer;
    },
    { describe: "the mirror answers" },
  );
}

test("a Service of a listed namespace is exported, mirrored and reached", async () => {
  const { west, east } = sides();
  await west.objects.export("shop/web", await startOnFabric(west));
  const port = await east.objects.untilMirror("shop/web-west", "open MirrorOpen");
  expect(await untilAnswers(port)).toBe("xend");
});

test("no account of ours can read anything but its lists, and none is bound in the whole cluster", async () => {
  const { west, east } = sides();
  for (const { admin } of [west, east]) {
    const { items } = await admin.list<KubeObject & { subjects?: { namespace?: string }[] }>(
      clusterRoleBindings,
    );
    const ours = items.filter(({ metadata, subjects = [] }) => {
      const isOfOurs = subjects.some(({ namespace }) => namespace === INSTALL_NAMESPACE);
      return isOfOurs || metadata.name.includes("isthmus");
    });
    expect(ours.map(({ metadata }) => metadata.name)).toEqual([]);
  }
  const forbidden: readonly [Resource, string | undefined][] = [
    [services, undefined],
    [endpointSlices, undefined],
    [namespaces, undefined],
    [services, "other"],
    [endpointSlices, "other"],
    [services, "default"],
    [endpointSlices, "default"],
    [services, INSTALL_NAMESPACE],
  ];
  for (const name of [CONTROLLER_NAME, GATEWAY_NAME, linkServiceAccountName("east")]) {
    const client = await west.account(name);
    for (const [resource, namespace] of forbidden) {
      const listing = client.list(resource, namespace === undefined ? {} : { namespace });
      await expect(listing, `${name} ${resource.plural} ${namespace}`).rejects.toMatchObject({
        statusCode: 403,
      });
    }
    await client.list(services, { namespace: "shop" });
    await client.close();
  }
});

test("a Service whose endpoint is an API server is not reached, though nothing else of namespace default is read", async () => {
  const { west, east } = sides();
  const { hostname: host, port } = new URL(west.cluster.server);
  await west.objects.export("shop/api", { host, port: Number(port) });
  const egressPort = await east.objects.untilMirror("shop/api-west", "open MirrorOpen");
  // The egress gateway listens a moment after the mirror says open.
  const answer = await eventually(
    async () => {
      const heard = await hear(egressPort, "x");
      if (heard === "ECONNREFUSED") throw new Error(heard);
      return heard;
    },
    { describe: "the egress gateway listens" },
  );
  expect(answer).toBe("ECONNRESET");
});

test("a Service of a namespace that is not listed has no mirror, and a listed namespace that is made later gets its own", async () => {
  const { west, east } = sides();
  const denied = await east.objects.untilCondition("ApiReachable", "True SomeNamespacesDenied");
  expect(denied).toContain("namespace later");
  const endpoint = await startOnFabric(west);
  await west.objects.export("other/web", endpoint);
  await west.admin.create<KubeObject>(namespaces, { metadata: { name: "later" } });
  await west.install(LISTED);
  await west.objects.export("later/db", endpoint);
  expect(await east.objects.untilEvent("NamespaceForbidden")).toContain(
    "namespace later is listed",
  );
  await east.objects.untilCondition("ApiReachable", "True Synced");

  await east.admin.create<KubeObject>(namespaces, { metadata: { name: "later" } });
  await east.install(LISTED);
  await untilAnswers(await east.objects.untilMirror("later/db-west", "open MirrorOpen"));
  expect(await east.admin.find(services, { namespace: "other", name: "web-west" })).toBe(undefined);
});

test("a Service of a listed namespace fails over, and its Events are in its namespace", async () => {
  const { west, east } = sides();
  await west.objects.export("payments/db", await startOnFabric(west));
  await east.objects.untilMirror("payments/db-west", "open MirrorOpen");
  await east.objects.putService("payments/db", { [ANNOTATIONS.failover]: "west" });
  await east.objects.untilSlice("payments", failoverSliceName("db", "IPv4"), true);
  const note = await east.objects.untilEvent("FailoverActivated", "payments");
  expect(note).toContain("west/payments/db");
});

test("in a steady state nothing is written", async () => {
  const { east } = sides();
  await east.objects.untilCounted(4);
  const before = await east.settledWrites();
  const beats = await east.heartbeats();
  await eventually(async () => expect(await east.heartbeats()).toBeGreaterThan(beats), {
    describe: "one more heartbeat",
  });
  expect(await east.writes()).toBe(before);
});

test("a namespace that is retired loses its mirrors and failover slices, and no other does", async () => {
  const { east } = sides();
  const { metadata } = await east.admin.get(services, { namespace: "shop", name: "web-west" });
  await east.run(["shop", "later"], ["payments"]);
  await east.objects.untilGone("payments/db-west");
  await east.objects.untilSlice("payments", failoverSliceName("db", "IPv4"), false);
  const after = await east.admin.get(services, { namespace: "shop", name: "web-west" });
  expect(after.metadata.uid).toBe(metadata.uid);
  expect(await east.admin.find(services, { namespace: "payments", name: "db" })).toBeDefined();
});

test("an unrestricted consumer follows the provider's list while its link stays open", async () => {
  const { west, east } = sides();
  await west.objects.export("shop/web", await startOnFabric(west));
  await east.install(undefined);
  await east.run();
  await east.objects.untilMirror("payments/db-west", "open MirrorOpen");
  const port = await east.objects.untilMirror("shop/web-west", "open MirrorOpen");
  await untilAnswers(port);
  await west.objects.publish(["later", "shop"]);
  await east.objects.untilGone("payments/db-west");
  expect(await hear(port, "x")).toBe("xend");
  expect(await east.objects.untilMirror("shop/web-west", "open MirrorOpen")).toBe(port);
});

test("mirrors of a namespace that the provider denies are closed and kept, and the link stays open", async () => {
  const { west, east } = sides();
  await west.admin.remove(roleBindings, { namespace: "later", name: LINK_CLUSTER_ROLE });
  // Another list is another session: the watches of the one before are open still.
  await west.objects.publish(LISTED);
  await east.objects.untilMirror("later/db-west", "closed SourceNamespaceDenied");
  const denied = await east.objects.untilCondition("ApiReachable", "True SomeNamespacesDenied");
  expect(denied).toContain("namespace later");
  await east.objects.untilCondition("Ready", "True LinkReady");
  await east.objects.untilMirror("shop/web-west", "open MirrorOpen");
  await west.install(LISTED);
  await east.objects.untilMirror("later/db-west", "open MirrorOpen");
});

test("a session whose first heartbeat was refused reads the listed namespaces once one is answered", async () => {
  const { west, east } = sides();
  const binding = { namespace: INSTALL_NAMESPACE, name: LINK_CLUSTER_ROLE };
  await west.admin.remove(roleBindings, binding);
  await east.run();
  await east.objects.untilCondition("CredentialsValid", "False PermissionDenied");
  await west.install(LISTED);
  await east.objects.untilCondition("ApiReachable", "True Synced");
  expect(await east.objects.untilMirror("later/db-west", "open MirrorOpen")).toBeGreaterThan(0);
});
