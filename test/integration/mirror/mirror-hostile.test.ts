import { describe, expect, test } from "vitest";
import type { EndpointSlice, Service, ServicePort } from "../../../api/objects.ts";
import { REASONS } from "../../../api/reasons.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { isOpen } from "./consumer.ts";
import { exported } from "./hand-links.ts";
import { useConsumer } from "./use-consumer.ts";

const { services, endpointSlices } = RESOURCES;
const setup = useConsumer();

describe("of a provider's Service that is out of bounds a mirror is made all the same:", () => {
  test("256 KiB of annotations are copied in part, which an Event says once", async () => {
    const { consumer, west, namespace } = setup;
    const annotations = Object.fromEntries(
      Array.from({ length: 250 }, (_, index) => [`note-${index}`, "x".repeat(1000)]),
    );
    west.put(exported(namespace, "web", { annotations }));
    const mirror = await consumer.sees<Service>(services, "web-west", isOpen);
    const copied = Object.keys(mirror.metadata.annotations ?? {}).filter((key) =>
      key.startsWith("note-"),
    );
    expect(copied).toHaveLength(32);
    const event = await consumer.event(west, REASONS.MetadataOmitted);
    expect(event.note).toContain("without 218 of its labels and annotations");
    await staysAsItIs(`${namespace}/web`);
    const events = await consumer.events(west);
    expect(events.filter(({ reason }) => reason === REASONS.MetadataOmitted)).toHaveLength(1);
  });

  test("many short annotations", async () => {
    const { consumer, west, namespace } = setup;
    const annotations = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, index) => [`k${index}`, ""]),
    );
    west.put(exported(namespace, "web", { annotations }));
    await consumer.sees<Service>(services, "web-west", isOpen);
    west.put(exported(namespace, "web"));
    const mirror = await consumer.sees<Service>(
      services,
      "web-west",
      ({ metadata }) => metadata.annotations?.["k1"] === undefined,
    );
    expect(Object.keys(mirror.metadata.annotations ?? {})).toHaveLength(4);
  });

  test("250 ports become the first 100, in one EndpointSlice, which an Event says", async () => {
    const { consumer, west, namespace } = setup;
    const ports = manyPorts(250);
    west.put(exported(namespace, "web", { ports }));
    const mirror = await consumer.sees<Service>(services, "web-west", isOpen);
    expect(mirror.spec?.ports?.map(({ port }) => port)).toEqual(
      ports.slice(0, 100).map(({ port }) => port),
    );
    const slice = await consumer.sees<EndpointSlice>(endpointSlices, "web-west-ipv4");
    expect(slice.ports).toHaveLength(100);
    expect((await consumer.event(west, REASONS.PortsOmitted)).note).toContain("without 150 more");
    await staysAsItIs(`${namespace}/web`);
  });

  test("names of 63 characters, of the Service and of its port", async () => {
    const { consumer, west, namespace } = setup;
    const name = "w".repeat(63);
    const mirror = { nameTemplate: "{service}", createNamespaces: false };
    west.change({ spec: { ...west.view.spec, mirror } });
    west.put(exported(namespace, name, { ports: [{ name: "p".repeat(63), port: 80 }] }));
    await consumer.sees<Service>(services, name, isOpen);
    const slice = await consumer.sees<EndpointSlice>(endpointSlices, `${name}-ipv4`);
    expect(slice.ports?.[0]?.name).toBe("p".repeat(63));
    await consumer.settles("west", { mirrored: 1, skipped: 0 });
  });

  test("control characters in annotations are kept, labels and keys that are invalid here left out", async () => {
    const { consumer, west, namespace } = setup;
    const annotations = {
      lines: "a\nb\u{0}c\u{1B}[31m\u{202E}",
      half: "\u{D800}",
      "a..b/key": "v",
      "key\nmore": "v",
    };
    const labels = { good: "yes", bad: "no way!", line: "a\nb", "bad key": "v" };
    west.put(exported(namespace, "web", { annotations, labels }));
    const mirror = await consumer.sees<Service>(services, "web-west", isOpen);
    expect(mirror.metadata.annotations).toMatchObject({ lines: annotations.lines });
    for (const key of ["half", "a..b/key", "key\nmore"]) {
      expect(mirror.metadata.annotations).not.toHaveProperty([key]);
    }
    expect(mirror.metadata.labels).toMatchObject({ good: "yes" });
    for (const key of ["bad", "line", "bad key"]) {
      expect(mirror.metadata.labels).not.toHaveProperty([key]);
    }
    await staysAsItIs(`${namespace}/web`);
  });
});

describe("what cannot be mirrored is told in one line that shows nothing else than it says:", () => {
  test.for<[string, Partial<Parameters<typeof exported>[2]>, string]>([
    [
      "an appProtocol with a line end",
      { ports: [{ name: "http", port: 80, appProtocol: "http\n\u{1B}[2J" }] },
      REASONS.WriteRejected,
    ],
    [
      "a port name with a line end",
      { ports: [{ name: "ht\ntp\u{202E}", port: 80 }] },
      REASONS.WriteRejected,
    ],
    [
      "a port twice",
      {
        ports: [
          { name: "a", port: 80 },
          { name: "b", port: 80 },
        ],
      },
      REASONS.WriteRejected,
    ],
    [
      "an export-ports annotation with control characters",
      { annotations: { "isthmus.dev/export-ports": "a\u{0}b\u{1B}[31m,c" } },
      REASONS.ExportPortsUnknown,
    ],
    ["ports that are no list", { spec: JSON.parse('{"ports": 7}') }, REASONS.ExportInvalid],
  ])("%s", async ([, options, reason]) => {
    const { consumer, west, namespace } = setup;
    west.put(exported(namespace, "web", options));
    const { note = "" } = await consumer.event(west, reason);
    expect(note).toContain(`${namespace}/web`);
    expect(note).not.toMatch(/[\p{Cc}\u{202E}]/u);
    // And is mirrored once it is mended.
    west.put(exported(namespace, "web"));
    await consumer.sees<Service>(services, "web-west", isOpen);
  });
});

function manyPorts(count: number): ServicePort[] {
  return Array.from({ length: count }, (_, index) => ({ name: `p${index}`, port: 1000 + index }));
}

/** Looks at the source again, and expects nothing to be written for it. */
async function staysAsItIs(sourceKey: string): Promise<void> {
  const { consumer, west } = setup;
  const source = west.services.get(sourceKey);
  if (source === undefined) throw new Error(`no source ${sourceKey}`);
  await consumer.sees(RESOURCES.endpoints, "web-west");
  const before = await consumer.writes();
  west.put(source);
  west.put(exported(setup.namespace, "later"));
  await consumer.sees<Service>(services, "later-west", isOpen);
  await consumer.settles("west", { mirrored: 2, skipped: 0 });
  expect((await consumer.writes())["apply services"] ?? 0).toBe(before["apply services"] ?? 0);
}
