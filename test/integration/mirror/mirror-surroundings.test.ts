import { describe, expect, test } from "vitest";
import type { EndpointSlice, KubeObject, Service } from "../../../api/objects.ts";
import { REASONS } from "../../../api/reasons.ts";
import { type Resource, RESOURCES } from "../../../api/resources.ts";
import { isOpen } from "./consumer.ts";
import { makeNamespace } from "./consumer-cluster.ts";
import { exported } from "./hand-links.ts";
import { useConsumer } from "./use-consumer.ts";

const { services, endpointSlices, endpoints, namespaces } = RESOURCES;
const setup = useConsumer();

describe("a namespace", () => {
  test("that was made just before the export is not said to be missing, however late the cache", async () => {
    const { cluster, consumer, west, namespace } = setup;
    const late = Promise.withResolvers<void>();
    const made = `${namespace}-late`;
    consumer.beforeWatchEvent = async (resource) => {
      if (resource === namespaces) await late.promise;
    };
    await makeNamespace(cluster.admin, made);
    west.put(exported(made, "web"));
    for (const name of ["a", "b"]) await consumer.opensMirror(west, name);
    expect(consumer.mirrors.tally("west")).toEqual({ mirrored: 2, skipped: 0 });
    late.resolve();
    await consumer.sees<Service>(services, "web-west", isOpen, made);
    const reasons = (await consumer.events(west)).map(({ reason }) => reason);
    expect(reasons).not.toContain(REASONS.NamespaceMissing);
    await cluster.admin.remove(namespaces, { name: made });
  });

  test("that is deleted takes its mirror with it: nothing is made there until it is back", async () => {
    const { cluster, consumer, west, namespace } = setup;
    const gone = `${namespace}-gone`;
    await makeNamespace(cluster.admin, gone);
    await consumer.opensMirror(west, "web", gone);
    await consumer.sees(endpoints, "web-west", undefined, gone);
    const creates: string[] = [];
    consumer.beforeCreate = async (path) => {
      if (path.includes(gone)) creates.push(path);
      await Promise.resolve();
    };
    await cluster.admin.remove(namespaces, { name: gone });
    await expect
      .poll(async () => await cluster.admin.find(namespaces, { name: gone }), { timeout: 40_000 })
      .toBeUndefined();
    // A first try before our cache knows of the deletion is no loop.
    expect(creates.length).toBeLessThanOrEqual(2);
    await consumer.settles("west", { mirrored: 0, skipped: 1 });
    await makeNamespace(cluster.admin, gone);
    await consumer.sees<Service>(services, "web-west", isOpen, gone);
    await consumer.settles("west", { mirrored: 1, skipped: 0 });
    await cluster.admin.remove(namespaces, { name: gone });
  });
});

describe("a Link", () => {
  test("to the cluster of an older one has no mirrors, and those of the older one stay", async () => {
    const { consumer, west, namespace } = setup;
    const before = await consumer.opensMirror(west, "web");
    const second = consumer.links.add("second", { clusterName: "west" });
    for (const name of ["web", "only"]) second.put(exported(namespace, name));
    await consumer.opensMirror(west, "later");
    const after = await consumer.sees<Service>(services, "web-west");
    expect(after.metadata.resourceVersion).toBe(before.metadata.resourceVersion);
    expect(await consumer.find(services, "only-west")).toBeUndefined();
    expect(consumer.mirrors.tally("second")).toEqual({ mirrored: 0, skipped: 0 });
    consumer.links.remove("west");
    second.change({});
    await consumer.sees<Service>(services, "only-west", isOpen);
    await consumer.settles("second", { mirrored: 2, skipped: 0 });
  });

  test("that was deleted and made again while no controller ran keeps its mirrors as they are", async () => {
    const { consumer: first, west, namespace } = setup;
    const before = await first.opensMirror(west, "web");
    const consumer = await setup.restart();
    const again = consumer.links.add("west");
    const { remote } = again.view;
    again.change({ remote: undefined });
    await consumer.lead();
    // Looked at, and kept, before its provider is known.
    await consumer.settles("west", { mirrored: 1, skipped: 0 });
    again.put(exported(namespace, "web"));
    again.change({ remote });
    await consumer.opensMirror(again, "later");
    const after = await consumer.sees<Service>(services, "web-west", isOpen);
    expect(after.metadata.uid).toBe(before.metadata.uid);
    expect(after.spec?.ports).toEqual(before.spec?.ports);
  });

  test("that is deleted and made again has its mirrors anew, with the same ports", async () => {
    const { consumer, west } = setup;
    const before = await consumer.opensMirror(west, "web");
    west.change({ deleting: true });
    await consumer.misses(services, "web-west");
    await expect.poll(() => consumer.mirrors.hasObjects("west"), { timeout: 15_000 }).toBe(false);
    consumer.links.remove("west");
    const after = await consumer.opensMirror(consumer.links.add("west"), "web");
    expect(after.metadata.uid).not.toBe(before.metadata.uid);
    expect(after.spec?.ports).toEqual(before.spec?.ports);
  });
});

describe("of mirrors that have to go", () => {
  test.for([
    ["Service", services, "web-west"],
    ["EndpointSlice", endpointSlices, "web-west-ipv4"],
  ] as const)(
    "one whose %s has a finalizer of others keeps neither the rest nor the Link, and an Event says so",
    async ([kind, resource, name]) => {
      const { consumer, west } = setup;
      for (const source of ["web", "api"]) await consumer.opensMirror(west, source);
      await consumer.sees(endpoints, "web-west");
      await setFinalizers(resource, name, ["example.com/hold"]);
      west.change({ deleting: true });
      try {
        await expect
          .poll(() => consumer.mirrors.hasObjects("west"), { timeout: 15_000 })
          .toBe(false);
        await consumer.misses(services, "api-west");
        const { note } = await consumer.event(west, REASONS.DeletionBlocked);
        expect(note).toContain(`${kind} ${setup.namespace}/${name}`);
        expect(note).toContain("example.com/hold");
        expect(await remaining()).toEqual([name]);
      } finally {
        await setFinalizers(resource, name, null);
      }
      await consumer.misses(resource, name);
    },
  );

  test("one that cannot be deleted yet does not keep the rest, and goes later", async () => {
    const { consumer, west, namespace } = setup;
    await consumer.opensMirror(west, "web");
    await consumer.sees<EndpointSlice>(endpointSlices, "web-west-ipv4");
    await consumer.sees(endpoints, "web-west");
    const refusal = { isOn: true, count: 0 };
    consumer.beforeRemove = async (resource) => {
      await Promise.resolve();
      if (!refusal.isOn || resource !== endpointSlices) return;
      refusal.count += 1;
      throw new Error("not now");
    };
    west.drop(`${namespace}/web`);
    await consumer.misses(services, "web-west");
    await consumer.misses(endpoints, "web-west");
    expect(refusal.count).toBeGreaterThan(0);
    refusal.isOn = false;
    await consumer.misses(endpointSlices, "web-west-ipv4");
    expect(await consumer.event(west, REASONS.MirrorRemoved)).toMatchObject({ type: "Normal" });
  });
});

async function setFinalizers(resource: Resource, name: string, finalizers: string[] | null) {
  await setup.cluster.admin.patch(
    resource,
    { namespace: setup.namespace, name },
    { metadata: { finalizers } },
    { type: "merge", fieldManager: "holder" },
  );
}

/** Names of what is left in the test's namespace. */
async function remaining(): Promise<string[]> {
  const { cluster, namespace } = setup;
  const lists = await Promise.all(
    [services, endpointSlices, endpoints].map(
      async (resource) => (await cluster.admin.list<KubeObject>(resource, { namespace })).items,
    ),
  );
  return lists.flat().map(({ metadata }) => metadata.name);
}
