import { describe, expect, test } from "vitest";
import { ANNOTATIONS, LABELS } from "../../../api/names.ts";
import type { Endpoints, EndpointSlice, Service } from "../../../api/objects.ts";
import { isOurs } from "../../../api/ownership.ts";
import { REASONS } from "../../../api/reasons.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { isOpen } from "./consumer.ts";
import { exported } from "./hand-links.ts";
import { GATEWAY_IP, useConsumer } from "./use-consumer.ts";

const { services, endpointSlices, endpoints } = RESOURCES;
const setup = useConsumer();

describe("what is edited by hand is put back:", () => {
  test.for<[string, unknown]>([
    ["a selector", { spec: { selector: { app: "elsewhere" } } }],
    [
      "a port more",
      {
        spec: {
          ports: [
            { name: "http", port: 80 },
            { name: "x", port: 99 },
          ],
        },
      },
    ],
    ["another target", { spec: { ports: [{ name: "http", port: 80, targetPort: 1 }] } }],
    ["the state", { metadata: { annotations: { [ANNOTATIONS.state]: "closed" } } }],
    ["no source", { metadata: { annotations: { [ANNOTATIONS.source]: null } } }],
    ["another source", { metadata: { annotations: { [ANNOTATIONS.source]: "west/a/b" } } }],
    ["another link", { metadata: { labels: { [LABELS.link]: "nowhere" } } }],
  ])("%s of the Service", async ([, patch]) => {
    const { consumer, west } = setup;
    const before = await consumer.opensMirror(west, "web");
    await consumer.edits(services, "web-west", patch);
    const after = await consumer.sees<Service>(
      services,
      "web-west",
      ({ metadata, spec }) =>
        JSON.stringify([spec?.ports, spec?.selector, metadata.annotations, metadata.labels]) ===
        JSON.stringify([
          before.spec?.ports,
          undefined,
          before.metadata.annotations,
          before.metadata.labels,
        ]),
    );
    expect(after.spec?.ports).toEqual(before.spec?.ports);
  });

  test("endpoints, in the EndpointSlice and in the Endpoints", async () => {
    const { consumer, west } = setup;
    await consumer.opensMirror(west, "web");
    const elsewhere = [{ addresses: ["10.9.9.9"], conditions: { ready: true } }];
    await consumer.sees<EndpointSlice>(endpointSlices, "web-west-ipv4");
    await consumer.sees<Endpoints>(endpoints, "web-west");
    await consumer.edits(endpointSlices, "web-west-ipv4", { endpoints: elsewhere });
    await consumer.edits(endpoints, "web-west", { subsets: [] });
    const slice = await consumer.sees<EndpointSlice>(
      endpointSlices,
      "web-west-ipv4",
      ({ endpoints: all }) => all?.[0]?.addresses[0] === GATEWAY_IP,
    );
    expect(slice.endpoints).toHaveLength(1);
    await consumer.sees<Endpoints>(endpoints, "web-west", ({ subsets }) => subsets?.length === 1);
  });

  test("but labels and annotations that others added stay", async () => {
    const { consumer, west, namespace } = setup;
    await consumer.opensMirror(west, "web");
    const added = { labels: { mine: "yes" }, annotations: { note: "keep" } };
    await consumer.edits(services, "web-west", { metadata: added });
    west.put(exported(namespace, "web", { ports: [{ name: "https", port: 443 }] }));
    const mirror = await consumer.sees<Service>(
      services,
      "web-west",
      ({ spec }) => spec?.ports?.length === 1 && spec.ports[0]?.port === 443,
    );
    expect(mirror.metadata).toMatchObject(added);
  });
});

test("with somebody who keeps changing a mirror there is no fight: repairs pause, and an Event says so", async () => {
  const { consumer, west } = setup;
  await consumer.opensMirror(west, "web");
  const before = (await consumer.writes())["apply services"] ?? 0;
  for (let round = 0; round < 30; round += 1) {
    const annotations = { [ANNOTATIONS.stateMessage]: `edit ${round}` };
    await consumer.edits(services, "web-west", { metadata: { annotations } });
  }
  await expect
    .poll(
      async () => {
        const events = await consumer.events(west);
        return events
          .filter(({ reason }) => reason === REASONS.MirrorUpdated)
          .map((event) => event.type);
      },
      { timeout: 15_000 },
    )
    .toEqual(expect.arrayContaining(["Normal", "Warning"]));
  expect(((await consumer.writes())["apply services"] ?? 0) - before).toBeLessThan(10);
  // What is new is written at once all the same.
  west.change({ open: false });
  await consumer.sees<Service>(
    services,
    "web-west",
    ({ metadata }) => metadata.annotations?.[ANNOTATIONS.state] === "closed",
  );
});

describe("what is deleted by hand comes back:", () => {
  test("the Service, with the same ports", async () => {
    const { cluster, consumer, west, namespace } = setup;
    const before = await consumer.opensMirror(west, "web");
    await cluster.admin.remove(services, { namespace, name: "web-west" });
    const after = await consumer.sees<Service>(
      services,
      "web-west",
      (mirror) => mirror.metadata.uid !== before.metadata.uid && isOpen(mirror),
    );
    expect(after.spec?.ports).toEqual(before.spec?.ports);
    const slice = await consumer.sees<EndpointSlice>(
      endpointSlices,
      "web-west-ipv4",
      ({ metadata }) => metadata.ownerReferences?.[0]?.uid === after.metadata.uid,
    );
    expect(slice.endpoints).toHaveLength(1);
  });

  test.for([endpointSlices, endpoints])("its $kind", async (resource) => {
    const { cluster, consumer, west, namespace } = setup;
    await consumer.opensMirror(west, "web");
    const name = resource === endpoints ? "web-west" : "web-west-ipv4";
    const before = await consumer.sees(resource, name);
    await cluster.admin.remove(resource, { namespace, name });
    const after = await consumer.sees(
      resource,
      name,
      ({ metadata }) => metadata.uid !== before.metadata.uid,
    );
    expect(isOurs(after)).toBe(true);
  });
});
