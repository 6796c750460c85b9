import { describe, expect, test } from "vitest";
import { ANNOTATIONS, CONTROLLER_FIELD_MANAGER, LABELS } from "../../../api/names.ts";
import type { EndpointSlice, KubeObject, Service } from "../../../api/objects.ts";
import { isOurs } from "../../../api/ownership.ts";
import { REASONS } from "../../../api/reasons.ts";
import { type Resource, RESOURCES } from "../../../api/resources.ts";
import type { KubeEvent } from "../../../kube/events.ts";
import { isOpen } from "./consumer.ts";
import { exported } from "./hand-links.ts";
import { GATEWAY_IP, useConsumer } from "./use-consumer.ts";

const { services, endpointSlices, endpoints } = RESOURCES;
const setup = useConsumer();

const WAYS: [string, (resource: Resource, name: string) => Promise<void>][] = [
  ["lost its labels", strip],
  ["was taken over by another field manager", steal],
];

describe.for(WAYS)("a mirror that %s", ([, take]) => {
  test("is left alone, with an Event, and outlives the export and the Link", async () => {
    const { consumer, west, namespace } = setup;
    await consumer.opensMirror(west, "web");
    await consumer.sees(endpoints, "web-west");
    await take(services, "web-west");
    const taken = await consumer.sees(services, "web-west", (object) => !isOurs(object));
    await toldThatItIsNotOurs();
    await consumer.misses(endpointSlices, "web-west-ipv4");
    await consumer.misses(endpoints, "web-west");
    west.drop(`${namespace}/web`);
    await consumer.settles("west", { mirrored: 0, skipped: 0 });
    west.put(exported(namespace, "web"));
    await consumer.settles("west", { mirrored: 0, skipped: 1 });
    west.change({ deleting: true });
    await consumer.settles("west", { mirrored: 0, skipped: 0 });
    const left = await consumer.sees(services, "web-west");
    expect(left.metadata.resourceVersion).toBe(taken.metadata.resourceVersion);
    expect(left.metadata).not.toHaveProperty("deletionTimestamp");
  });

  test.for([
    ["EndpointSlice", endpointSlices, "web-west-ipv4"],
    ["Endpoints", endpoints, "web-west"],
  ] as const)("in its %s alone is told of, and made whole when that is gone", async (child) => {
    const [kind, resource, name] = child;
    const { cluster, consumer, west, namespace } = setup;
    await consumer.opensMirror(west, "web");
    await consumer.sees(endpoints, "web-west");
    await take(resource, name);
    const taken = await consumer.sees(resource, name, (object) => !isOurs(object));
    expect((await toldThatItIsNotOurs())?.note).toContain(kind);
    const left = await consumer.sees(resource, name);
    expect(left.metadata.resourceVersion).toBe(taken.metadata.resourceVersion);
    await cluster.admin.remove(resource, { namespace, name });
    await consumer.sees(resource, name, isOurs);
    await consumer.settles("west", { mirrored: 1, skipped: 0 });
  });
});

describe("what somebody makes between our look and our write is not adopted:", () => {
  test.for([
    ["an EndpointSlice", endpointSlices, "web-west-ipv4", { addressType: "IPv4", endpoints: [] }],
    ["an Endpoints object", endpoints, "web-west", {}],
  ] as const)("%s", async ([, resource, name, content]) => {
    const { cluster, consumer, west, namespace } = setup;
    let foreign: KubeObject | undefined;
    consumer.beforeCreate = async (path) => {
      if (!path.endsWith(`/${resource.plural}`)) return;
      foreign ??= await cluster.admin.create<KubeObject>(resource, {
        metadata: { namespace, name },
        ...content,
      });
    };
    west.put(exported(namespace, "web"));
    expect((await consumer.event(west, REASONS.NameTaken)).note).toContain(resource.kind);
    const kept = await consumer.sees(resource, name);
    expect(kept.metadata.uid).toBe(foreign?.metadata.uid);
    expect(isOurs(kept)).toBe(false);
    await cluster.admin.remove(resource, { namespace, name });
    await consumer.sees(resource, name, isOurs);
    await consumer.settles("west", { mirrored: 1, skipped: 0 });
  });
});

test("what is edited by hand is put back and told once", async () => {
  const { consumer, west } = setup;
  await consumer.opensMirror(west, "web");
  await consumer.sees(endpoints, "web-west");
  await consumer.edits(services, "web-west", { spec: { selector: { app: "elsewhere" } } });
  await consumer.sees<Service>(services, "web-west", ({ spec }) => spec?.selector === undefined);
  const elsewhere = [{ addresses: ["10.9.9.9"], conditions: { ready: true } }];
  await consumer.edits(endpointSlices, "web-west-ipv4", { endpoints: elsewhere });
  await consumer.sees<EndpointSlice>(
    endpointSlices,
    "web-west-ipv4",
    (slice) => slice.endpoints?.[0]?.addresses[0] === GATEWAY_IP,
  );
  await consumer.event(west, REASONS.MirrorUpdated);
  const told = (await consumer.events(west)).filter(
    ({ reason }) => reason === REASONS.MirrorUpdated,
  );
  expect(told.map(({ type, series }) => [type, series])).toEqual([["Normal", undefined]]);
});

describe("a mirror Service that is deleted by hand while its provider is unknown", () => {
  test("comes back with the same ports, and goes when it is not exported any more", async () => {
    const { cluster, consumer, west, namespace } = setup;
    const before = await consumer.opensMirror(west, "web");
    const { remote } = west.view;
    west.change({ remote: undefined });
    await cluster.admin.remove(services, { namespace, name: "web-west" });
    const after = await consumer.sees<Service>(
      services,
      "web-west",
      (mirror) => mirror.metadata.uid !== before.metadata.uid && isOpen(mirror),
    );
    expect(after.spec?.ports).toEqual(before.spec?.ports);
    expect(after.metadata.annotations).toEqual(before.metadata.annotations);
    await consumer.sees<EndpointSlice>(
      endpointSlices,
      "web-west-ipv4",
      ({ metadata }) => metadata.ownerReferences?.[0]?.uid === after.metadata.uid,
    );
    west.services.delete(`${namespace}/web`);
    west.change({ remote });
    await consumer.misses(services, "web-west");
  });

  test("but not when we took it away ourselves", async () => {
    const { consumer, west, namespace } = setup;
    await consumer.opensMirror(west, "web");
    west.drop(`${namespace}/web`);
    await consumer.misses(services, "web-west");
    west.change({ remote: undefined });
    const creates = (await consumer.writes())["create services"];
    // Has it looked at again.
    west.drop(`${namespace}/web`);
    await consumer.opensMirror(consumer.links.add("north"), "later");
    expect(await consumer.find(services, "web-west")).toBeUndefined();
    expect((await consumer.writes())["create services"]).toBe((creates ?? 0) + 1);
  });
});

async function toldThatItIsNotOurs(): Promise<KubeEvent | undefined> {
  const { consumer, west } = setup;
  const reasons: string[] = [REASONS.OwnershipLost, REASONS.NameTaken];
  const find = async () =>
    (await consumer.events(west)).find(({ reason = "" }) => reasons.includes(reason));
  await expect.poll(find, { timeout: 15_000 }).toMatchObject({ type: "Warning" });
  return await find();
}

async function strip(resource: Resource, name: string): Promise<void> {
  const labels = { [LABELS.managedBy]: null, [LABELS.link]: null };
  await setup.consumer.edits(resource, name, { metadata: { labels } });
}

/** Our labels stay, and every field is somebody else's. */
async function steal(resource: Resource, name: string): Promise<void> {
  const { cluster, namespace } = setup;
  const live = await cluster.admin.get<KubeObject>(resource, { namespace, name });
  const managedFields = (live.metadata.managedFields ?? []).map((entry) =>
    entry.manager === CONTROLLER_FIELD_MANAGER ? { ...entry, manager: "thief" } : entry,
  );
  await cluster.admin.patch(
    resource,
    { namespace, name },
    [{ op: "replace", path: "/metadata/managedFields", value: managedFields }],
    { type: "json", fieldManager: "thief" },
  );
  const { labels, annotations } = live.metadata;
  expect([labels?.[LABELS.link], annotations?.[ANNOTATIONS.source]]).not.toContain(undefined);
}
