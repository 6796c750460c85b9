import { describe, expect, test } from "vitest";
import { ANNOTATIONS, LABELS } from "../../../api/names.ts";
import type { EndpointSlice, Service } from "../../../api/objects.ts";
import { REASONS } from "../../../api/reasons.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { PortAllocator } from "../../../controller/mirror/port-allocator.ts";
import { pruneSlice } from "../../../gateway/ingress/endpoint-index.ts";
import { eventually } from "../fixtures.ts";
import { NAMESPACE, readyOf, useShop } from "./shop.ts";

const { services, endpointSlices } = RESOURCES;
const shop = useShop();

function sliceKey(name: string) {
  return { namespace: NAMESPACE, name: `${name}.failover-ipv4` };
}

/** Changes our slice as a person with kubectl would. */
async function edits(name: string, body: unknown): Promise<void> {
  const options = { type: "merge", fieldManager: "kubectl-edit" } as const;
  await shop().east.patch(endpointSlices, sliceKey(name), body, options);
}

/** A Service that fails over to west and has its slice. */
async function standsBy(name: string): Promise<EndpointSlice> {
  await shop().exports("west", name);
  await shop().failsOver(name, "west");
  return await shop().says(name, "standby west");
}

describe("a slice of ours that somebody", () => {
  const elsewhere = { addresses: ["10.8.8.8"], conditions: { ready: true } };
  test.each<[string, string, unknown, "uid may differ"?]>([
    ["sends elsewhere", "elsewhere", { endpoints: [elsewhere] }],
    ["gives another port", "port", { ports: [{ name: "http", port: 1, protocol: "TCP" }] }],
    [
      "gives another state",
      "state",
      { metadata: { annotations: { [ANNOTATIONS.state]: "closed" } } },
    ],
    [
      "gives another source",
      "source",
      { metadata: { annotations: { [ANNOTATIONS.source]: "x/y/z" } } },
    ],
    [
      "takes from its Service",
      "service",
      { metadata: { labels: { [LABELS.serviceName]: "other" } } },
    ],
    ["gives to another link", "link", { metadata: { labels: { [LABELS.link]: "north" } } }],
    ["takes the owner from", "owner", { metadata: { ownerReferences: null } }],
    // It may be deleted as a stray and made anew.
    [
      "makes a mirror's",
      "label",
      { metadata: { labels: { [LABELS.failoverFor]: null } } },
      "uid may differ",
    ],
  ])("%s is put right", async (_, name, body, mayDiffer) => {
    const before = await standsBy(`edited-${name}`);
    await edits(`edited-${name}`, body);
    const after = await shop().sees(`edited-${name}`, (slice) => {
      const [left, right] = [before, slice].map(({ metadata, endpoints, ports }) => {
        const { labels, annotations, ownerReferences } = metadata;
        return JSON.stringify([labels, annotations, ownerReferences, endpoints, ports]);
      });
      return left === right && slice.metadata.resourceVersion !== before.metadata.resourceVersion;
    });
    const isKept = after.metadata.uid === before.metadata.uid;
    expect(isKept || mayDiffer !== undefined).toBe(true);
  });

  test("deletes is made anew", async () => {
    const before = await standsBy("deleted");
    await shop().east.remove(endpointSlices, sliceKey("deleted"));
    const after = await shop().sees(
      "deleted",
      ({ metadata }) => metadata.uid !== before.metadata.uid,
    );
    expect({ ...after, metadata: {} }).toEqual({ ...before, metadata: {} });
  });

  test("keeps changing is not fought over", async () => {
    await standsBy("fought");
    const writes = async (): Promise<number> => {
      const { registry } = shop().links;
      const found = await registry.getSingleMetric("isthmus_failover_writes_total")?.get();
      return (found?.values ?? []).reduce((sum, { value }) => sum + value, 0);
    };
    const before = await writes();
    for (let round = 0; round < 30; round += 1) {
      await edits("fought", {
        metadata: { annotations: { [ANNOTATIONS.stateReason]: `E${round}` } },
      });
      await shop().east.get(endpointSlices, sliceKey("fought"));
    }
    // What is new is written at once all the same.
    await shop().becomes(false, "fought");
    await shop().says("fought", "active west");
    expect((await writes()) - before).toBeLessThan(12);
  });

  test("takes our mark from is left alone, which is told, and is ours again once it is back", async () => {
    const before = await standsBy("stripped");
    await edits("stripped", { metadata: { labels: { [LABELS.managedBy]: null } } });
    const note = "stripped.failover-ipv4 was ours and has lost its isthmus labels";
    await shop().tells("stripped", REASONS.OwnershipLost, note);
    await shop().becomes(false, "stripped");
    await edits("stripped", { metadata: { labels: { [LABELS.managedBy]: "isthmus" } } });
    const { uid } = (await shop().says("stripped", "active west")).metadata;
    expect(uid).toBe(before.metadata.uid);
  });
});

test("a slice of others that has our name is left alone, which is told, and ours is made when it is gone", async () => {
  await shop().exports("west", "taken");
  const foreign = await shop().east.create<EndpointSlice>(endpointSlices, {
    metadata: { ...sliceKey("taken"), labels: { mine: "yes" } },
    addressType: "IPv4",
    endpoints: [],
    ports: [],
  });
  await shop().failsOver("taken", "west");
  await shop().tells("taken", REASONS.NameTaken, "taken.failover-ipv4 exists and is not ours");
  expect(await shop().east.get(endpointSlices, sliceKey("taken"))).toEqual(foreign);
  await shop().east.remove(endpointSlices, sliceKey("taken"));
  await shop().says("taken", "standby west");
});

test("a Service that is deleted takes its slice with it, and a new one of its name has a slice of its own", async () => {
  const before = await standsBy("again");
  const key = { namespace: NAMESPACE, name: "again" };
  const { metadata, spec } = await shop().service("again");
  const { annotations = {} } = metadata;
  await shop().east.remove(services, key);
  const again = await shop().east.create<Service>(services, {
    metadata: { ...key, annotations },
    spec: { ports: spec?.ports ?? [] },
  });
  const after = await shop().sees(
    "again",
    (slice) => slice.metadata.ownerReferences?.[0]?.uid === again.metadata.uid,
  );
  expect(after.metadata.uid).not.toBe(before.metadata.uid);
  await shop().east.remove(services, key);
  await shop().misses("again");
});

describe("a provider whose only ready endpoints are those that it fails over to", () => {
  test("is not ready for its consumers, and its ingress has no endpoint for it", async () => {
    await shop().exports("west", "loop-source");
    const annotations = {
      [ANNOTATIONS.failoverMode]: "active",
      [ANNOTATIONS.failoverActivateAfter]: "0s",
    };
    await shop().failsOver("loop-source", "west", { annotations, ready: false });
    const ours = await shop().says("loop-source", "active west");
    expect(readyOf(ours)).toBe(2);
    expect(pruneSlice(ours)).toBeUndefined();

    const { west } = shop().links.providers;
    await shop().exports("west", "loop", { ready: false });
    const { labels = {}, annotations: recorded = {} } = ours.metadata;
    await west.create<EndpointSlice>(endpointSlices, {
      ...ours,
      metadata: {
        ...sliceKey("loop"),
        labels: { ...labels, [LABELS.serviceName]: "loop", [LABELS.failoverFor]: "loop" },
        annotations: recorded,
      },
    });
    await shop().exports("west", "later");
    const mirror = await shop().east.get<Service>(services, {
      namespace: NAMESPACE,
      name: "loop-west",
    });
    expect(mirror.metadata.annotations).toMatchObject({
      [ANNOTATIONS.state]: "closed",
      [ANNOTATIONS.stateReason]: REASONS.NoReadyEndpoints,
    });
    await shop().failsOver("loop", "west", { ready: false });
    await shop().says("loop", "closed west");
    await shop().becomes(true, "loop", "west");
    await shop().says("loop", "active west");
  });
});

/** A Service of west that would get this egress port if it were free. */
function rivalOf(egressPort: unknown): string {
  const allocator = new PortAllocator();
  for (let index = 0; ; index += 1) {
    const [name, ports] = [`rival-${index}`, [{ name: "http", port: 80 }]];
    const [port] = allocator.propose(`shop/${name}-west`, `west/shop/${name}`, ports) ?? [];
    if (port === egressPort) return name;
  }
}

test("an egress port that a failover slice still names is not given to another mirror", async () => {
  await standsBy("pinned");
  const { http } = await shop().mirrorPorts("pinned-west");
  await edits("pinned", { metadata: { finalizers: ["example.com/keep"] } });
  await shop().annotates("pinned", { [ANNOTATIONS.export]: null }, "west");
  const mirror = { namespace: NAMESPACE, name: "pinned-west" };
  await eventually(async () => expect(await shop().east.find(services, mirror)).toBeUndefined(), {
    describe: "the mirror is gone",
  });
  expect((await shop().slice("pinned"))?.ports?.[0]?.port).toBe(http);
  const rival = rivalOf(http);
  await shop().exports("west", rival);
  const ports = await shop().mirrorPorts(`${rival}-west`);
  expect(ports["http"]).not.toBe(http);
  await shop().annotates("pinned", { [ANNOTATIONS.export]: "true" }, "west");
  expect(await shop().mirrorPorts("pinned-west")).toEqual({ http });
  await edits("pinned", { metadata: { finalizers: null } });
  await shop().sees("pinned", ({ metadata }) => metadata.deletionTimestamp === undefined);
});
