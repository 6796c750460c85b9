import { describe, expect, test } from "vitest";
import { ANNOTATIONS, INSTALL_NAMESPACE, LABELS } from "../../../api/names.ts";
import type { Endpoints, EndpointSlice, KubeObject, Service } from "../../../api/objects.ts";
import { REASONS } from "../../../api/reasons.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { type Consumer, isOpen } from "./consumer.ts";
import {
  makeForeignService,
  makeGatewayPod,
  makeNamespace,
  setGatewayReady,
} from "./consumer-cluster.ts";
import { exported } from "./hand-links.ts";
import { isClosed, readyAddresses } from "../../workload/mirror-state.ts";
import { GATEWAY_IP, GATEWAY_POD, useConsumer } from "./use-consumer.ts";

const { services, endpointSlices, endpoints, pods, namespaces } = RESOURCES;
const WRITE_ORDER = ["Service", "EndpointSlice", "Endpoints"];
const setup = useConsumer();

describe("a mirror closes, keeping its Service and its ports,", () => {
  test("when its link does, and opens again with it", async () => {
    const { consumer, west } = setup;
    const before = await consumer.opensMirror(west, "web");
    west.change({ open: false });
    const closed = await seesClosed(consumer, "web-west", REASONS.LinkNotReady);
    expect(closed.metadata.uid).toBe(before.metadata.uid);
    expect(closed.spec?.ports).toEqual(before.spec?.ports);
    west.change({ open: true });
    await consumer.sees<Service>(services, "web-west", isOpen);
    await consumer.sees(endpointSlices, "web-west-ipv4", hasAddresses(GATEWAY_IP));
    await consumer.sees<Endpoints>(endpoints, "web-west", ({ subsets }) => subsets?.length === 1);
  });

  test("with the Service written first, and first again when it opens", async () => {
    const { consumer, west } = setup;
    await consumer.opensMirror(west, "web");
    await consumer.sees<Endpoints>(endpoints, "web-west", ({ subsets }) => subsets?.length === 1);
    west.change({ open: false });
    await seesClosed(consumer, "web-west", REASONS.LinkNotReady);
    expect(await writtenInOrder(consumer, "web-west")).toEqual(WRITE_ORDER);
    west.change({ open: true });
    await consumer.sees<Endpoints>(endpoints, "web-west", ({ subsets }) =>
      (subsets ?? []).every(({ notReadyAddresses }) => notReadyAddresses === undefined),
    );
    expect(await writtenInOrder(consumer, "web-west")).toEqual(WRITE_ORDER);
  });

  test("when the source has no ready endpoint", async () => {
    const { consumer, west, namespace } = setup;
    const before = await consumer.opensMirror(west, "web");
    west.put(exported(namespace, "web"), { ready: false });
    const closed = await seesClosed(consumer, "web-west", REASONS.NoReadyEndpoints);
    expect(closed.spec?.ports).toEqual(before.spec?.ports);
  });

  test("when no egress gateway is Ready, and follows those that are", async () => {
    const { cluster, consumer, west } = setup;
    const before = await consumer.opensMirror(west, "web");
    await makeGatewayPod(cluster.admin, "gateway-b", "10.1.0.6");
    await consumer.sees(endpointSlices, "web-west-ipv4", hasAddresses(GATEWAY_IP, "10.1.0.6"));
    await cluster.admin.remove(pods, { namespace: INSTALL_NAMESPACE, name: "gateway-b" }, {});
    await setGatewayReady(cluster.admin, GATEWAY_POD, false);
    const closed = await seesClosed(consumer, "web-west", REASONS.NoReadyEgressGateway);
    expect(closed.spec?.ports).toEqual(before.spec?.ports);
    await setGatewayReady(cluster.admin, GATEWAY_POD, true);
    await consumer.sees(endpointSlices, "web-west-ipv4", hasAddresses(GATEWAY_IP));
  });

  test("when the link closes while the provider is unknown, and follows the gateways until then", async () => {
    const { cluster, consumer, west } = setup;
    const before = await consumer.opensMirror(west, "web");
    west.change({ remote: undefined });
    await setGatewayReady(cluster.admin, GATEWAY_POD, true, "10.1.0.8");
    await consumer.sees(endpointSlices, "web-west-ipv4", hasAddresses("10.1.0.8"));
    west.change({ open: false });
    const closed = await seesClosed(consumer, "web-west", REASONS.LinkNotReady);
    expect(closed.spec?.ports).toEqual(before.spec?.ports);
    await setGatewayReady(cluster.admin, GATEWAY_POD, true, GATEWAY_IP);
  });
});

describe("a mirror goes", () => {
  test("when its source is not exported any more, with all that belongs to it", async () => {
    const { consumer, west, namespace } = setup;
    await consumer.opensMirror(west, "web");
    west.drop(`${namespace}/web`);
    await missesAll(consumer, "web-west");
    expect(await consumer.event(west, REASONS.MirrorRemoved)).toMatchObject({ type: "Normal" });
  });

  test("when its source names other consumers", async () => {
    const { consumer, west, namespace } = setup;
    await consumer.opensMirror(west, "web");
    west.put(exported(namespace, "web", { annotations: { [ANNOTATIONS.exportTo]: "north" } }));
    await missesAll(consumer, "web-west");
    expect(consumer.mirrors.skips("west")).toEqual([]);
  });

  test("when the Link is deleted, and nothing that is not ours does", async () => {
    const { cluster, consumer, west, namespace } = setup;
    await makeForeignService(cluster.admin, namespace, "other");
    // Looks like ours, and was written by somebody else.
    await cluster.admin.create<Service>(services, {
      metadata: {
        namespace,
        name: "imitation",
        labels: { [LABELS.managedBy]: "isthmus", [LABELS.link]: "west" },
        annotations: { [ANNOTATIONS.source]: `west/${namespace}/imitation` },
      },
      spec: { ports: [{ port: 80 }] },
    });
    for (const name of ["web", "api"]) await consumer.opensMirror(west, name);
    expect(consumer.mirrors.hasObjects("west")).toBe(true);
    west.change({ deleting: true });
    for (const name of ["web-west", "api-west"]) await missesAll(consumer, name);
    await expect.poll(() => consumer.mirrors.hasObjects("west"), { timeout: 15_000 }).toBe(false);
    const { items } = await cluster.admin.list(services, { namespace });
    expect(items.map(({ metadata }) => metadata.name).toSorted()).toEqual(["imitation", "other"]);
    expect(consumer.mirrors.tally("west")).toEqual({ mirrored: 0, skipped: 0 });
  });

  test("when its Link went while no controller ran", async () => {
    const { consumer: before, west, namespace } = setup;
    await before.opensMirror(west, "web");
    const consumer = await setup.restart();
    expect(consumer.mirrors.hasObjects("west")).toBe(true);
    await consumer.lead();
    await missesAll(consumer, "web-west", namespace);
  });

  test("but stays while its provider is unknown", async () => {
    const { consumer, west, namespace } = setup;
    const mirror = await consumer.opensMirror(west, "web");
    west.services.delete(`${namespace}/web`);
    west.change({ remote: undefined });
    await consumer.opensMirror(consumer.links.add("north"), "later");
    expect((await consumer.find(services, "web-west"))?.metadata.uid).toBe(mirror.metadata.uid);
  });
});

describe("a source is skipped, with an Event that says what to do, and mirrored once that is done:", () => {
  test("its namespace is missing", async () => {
    const { cluster, consumer, west, namespace } = setup;
    const missing = `${namespace}-later`;
    west.put(exported(missing, "web"));
    const event = await consumer.event(west, REASONS.NamespaceMissing);
    expect(event).toMatchObject({ type: "Warning", regarding: { kind: "Link", name: "west" } });
    expect(event.note).toContain(`no namespace ${missing}`);
    expect(consumer.mirrors.tally("west")).toEqual({ mirrored: 0, skipped: 1 });
    await makeNamespace(cluster.admin, missing);
    await consumer.sees<Service>(services, "web-west", isOpen, missing);
    await consumer.settles("west", { mirrored: 1, skipped: 0 });
    await cluster.admin.remove(namespaces, { name: missing });
  });

  test("its namespace is made when the Link says so, and stays when the mirror goes", async () => {
    const { cluster, consumer, namespace } = setup;
    const made = `${namespace}-made`;
    const mirror = { nameTemplate: "{service}-{cluster}", createNamespaces: true };
    const north = consumer.links.add("north", { mirror });
    north.put(exported(made, "web"));
    await consumer.sees<Service>(services, "web-north", isOpen, made);
    north.change({ deleting: true });
    await missesAll(consumer, "web-north", made);
    const kept = await cluster.admin.get<KubeObject>(namespaces, { name: made });
    expect(kept.metadata).not.toHaveProperty("deletionTimestamp");
    await cluster.admin.remove(namespaces, { name: made });
  });

  test("its namespace is being deleted", async () => {
    const { cluster, consumer, west, namespace } = setup;
    const going = `${namespace}-going`;
    const finalizer = { namespace: going, name: "held" };
    await makeNamespace(cluster.admin, going);
    await cluster.admin.create<KubeObject>(RESOURCES.configMaps, {
      metadata: { ...finalizer, finalizers: ["isthmus.dev/test"] },
    });
    await cluster.admin.remove(namespaces, { name: going });
    west.put(exported(going, "web"));
    expect(await consumer.event(west, REASONS.NamespaceTerminating)).toMatchObject({
      type: "Warning",
    });
    await cluster.admin.patch(
      RESOURCES.configMaps,
      finalizer,
      { metadata: { finalizers: null } },
      { type: "merge" },
    );
    await expect
      .poll(async () => await cluster.admin.find(namespaces, { name: going }), { timeout: 30_000 })
      .toBeUndefined();
    await makeNamespace(cluster.admin, going);
    await consumer.sees<Service>(services, "web-west", isOpen, going);
    await cluster.admin.remove(namespaces, { name: going });
  });

  test("its mirror's name would be too long", async () => {
    const { consumer, west, namespace } = setup;
    const name = "w".repeat(63);
    west.put(exported(namespace, name));
    const event = await consumer.event(west, REASONS.NameInvalid);
    expect(event.note).toContain("spec.mirror.nameTemplate");
    const mirror = { nameTemplate: "{service}", createNamespaces: false };
    west.change({ spec: { ...west.view.spec, mirror } });
    await consumer.sees<Service>(services, name, isOpen);
    await consumer.settles("west", { mirrored: 1, skipped: 0 });
  });

  test("none of its ports is TCP; those that are not are left out", async () => {
    const { consumer, west, namespace } = setup;
    const dns = { name: "dns", port: 53, protocol: "UDP" };
    west.put(exported(namespace, "web", { ports: [dns] }));
    await consumer.event(west, REASONS.NoTcpPorts);
    west.put(exported(namespace, "web", { ports: [dns, { name: "http", port: 80 }] }));
    const mirror = await consumer.sees<Service>(services, "web-west", isOpen);
    expect(mirror.spec?.ports?.map(({ name }) => name)).toEqual(["http"]);
    expect((await consumer.event(west, REASONS.PortsOmitted)).note).toContain("53/UDP");
  });

  test("its annotations cannot be read", async () => {
    const { consumer, west, namespace } = setup;
    const annotations = { [ANNOTATIONS.exportPorts]: "htpp" };
    west.put(exported(namespace, "web", { annotations }));
    expect((await consumer.event(west, REASONS.ExportPortsUnknown)).note).toContain("htpp");
    west.put(exported(namespace, "web", { annotations: { [ANNOTATIONS.exportPorts]: "http" } }));
    await consumer.sees<Service>(services, "web-west", isOpen);
  });

  test("it is not selected, which is no fault and makes no Event", async () => {
    const { consumer, namespace } = setup;
    const north = consumer.links.add("north", { serviceSelector: { matchLabels: { tier: "a" } } });
    north.put(exported(namespace, "no", { labels: { tier: "b" } }));
    north.put(exported(namespace, "yes", { labels: { tier: "a" } }));
    await consumer.sees<Service>(services, "yes-north", isOpen);
    await consumer.settles("north", { mirrored: 1, skipped: 0 });
    expect(await consumer.find(services, "no-north")).toBeUndefined();
    const reasons = (await consumer.events(north)).map(({ reason }) => reason);
    expect(reasons).toEqual([REASONS.MirrorCreated]);
  });

  test("the API server rejects its mirror", async () => {
    const { consumer, west, namespace } = setup;
    west.put(exported(namespace, "web", { ports: [{ name: "Not_A_Name", port: 80 }] }));
    expect((await consumer.event(west, REASONS.WriteRejected)).note).toContain("Not_A_Name");
    west.put(exported(namespace, "web"));
    await consumer.sees<Service>(services, "web-west", isOpen);
    await consumer.settles("west", { mirrored: 1, skipped: 0 });
  });
});

function hasAddresses(...wanted: string[]): (slice: EndpointSlice) => boolean {
  return (slice) => readyAddresses([slice]).join(",") === wanted.join(",");
}

/** Waits until the mirror is closed for this reason, in all of its objects. */
async function seesClosed(consumer: Consumer, name: string, reason: string): Promise<Service> {
  const closed = await consumer.sees<Service>(
    services,
    name,
    ({ metadata }) => metadata.annotations?.[ANNOTATIONS.stateReason] === reason,
  );
  const slice = await consumer.sees<EndpointSlice>(endpointSlices, `${name}-ipv4`, (seen) =>
    isClosed([seen], closed),
  );
  // For the gateways to refuse.
  const conditions = { ready: false, serving: true, terminating: true };
  const kept = reason === REASONS.NoReadyEgressGateway ? [] : [{ conditions }];
  expect(slice.endpoints ?? []).toMatchObject(kept);
  const object = await consumer.sees<Endpoints>(endpoints, name, ({ subsets }) =>
    (subsets ?? []).every(({ addresses }) => addresses === undefined),
  );
  const addresses = (slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses);
  expect(
    (object.subsets ?? []).flatMap(({ notReadyAddresses }) => notReadyAddresses ?? []),
  ).toMatchObject(addresses.map((ip) => ({ ip })));
  return closed;
}

/** The kinds of a mirror's objects in the order of their last writes: one etcd counts them all. */
async function writtenInOrder(consumer: Consumer, name: string): Promise<string[]> {
  const written = await Promise.all([
    consumer.sees(services, name),
    consumer.sees(endpointSlices, `${name}-ipv4`),
    consumer.sees(endpoints, name),
  ]);
  const versions = written.map(({ metadata }) => Number(metadata.resourceVersion));
  return ["Endpoints", "EndpointSlice", "Service"]
    .map((kind, index) => ({ kind, version: versions[2 - index] ?? 0 }))
    .toSorted((left, right) => left.version - right.version)
    .map(({ kind }) => kind);
}

async function missesAll(consumer: Consumer, name: string, namespace?: string): Promise<void> {
  await consumer.misses(services, name, namespace);
  await consumer.misses(endpointSlices, `${name}-ipv4`, namespace);
  await consumer.misses(endpoints, name, namespace);
}
