import { describe, expect, test } from "vitest";
import {
  ANNOTATIONS,
  EGRESS_PORT_MAX,
  EGRESS_PORT_MIN,
  ENDPOINT_SLICE_MANAGED_BY,
  INSTALL_NAMESPACE,
  LABELS,
} from "../../../api/names.ts";
import type { Endpoints, EndpointSlice, KubeObject, Service } from "../../../api/objects.ts";
import { isOurs } from "../../../api/ownership.ts";
import { REASONS } from "../../../api/reasons.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { isOpen } from "./consumer.ts";
import { makeForeignService } from "./consumer-cluster.ts";
import { exported } from "./hand-links.ts";
import { useConsumer } from "./use-consumer.ts";

const { services, endpointSlices, endpoints } = RESOURCES;
const setup = useConsumer();

describe("a mirror that is open", () => {
  test("is a Service without selector whose ports lead to the egress gateways", async () => {
    const { consumer, namespace, west } = setup;
    west.put(
      exported(namespace, "web", {
        ports: [
          { name: "http", port: 80, targetPort: "web", appProtocol: "kubernetes.io/h2c" },
          { name: "admin", port: 9000, targetPort: 9000 },
        ],
        spec: {
          selector: { app: "web" },
          sessionAffinity: "ClientIP",
          sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
        },
        labels: { team: "shop", "app.kubernetes.io/name": "web" },
        annotations: { note: "hello", [ANNOTATIONS.exportTo]: "east" },
      }),
    );
    const mirror = await consumer.sees<Service>(services, "web-west", isOpen);

    expect(isOurs(mirror)).toBe(true);
    expect(mirror.metadata.labels).toMatchObject({ [LABELS.link]: "west", team: "shop" });
    expect(mirror.metadata.labels).not.toHaveProperty(["app.kubernetes.io/name"]);
    expect(mirror.metadata.annotations).toMatchObject({
      note: "hello",
      [ANNOTATIONS.source]: `west/${namespace}/web`,
      [ANNOTATIONS.stateReason]: REASONS.MirrorOpen,
    });
    expect(mirror.metadata.annotations).not.toHaveProperty([ANNOTATIONS.export]);
    expect(mirror.spec?.selector).toBeUndefined();
    expect(mirror.spec?.clusterIP).toMatch(/^10\./);
    expect(mirror.spec?.sessionAffinityConfig?.clientIP?.timeoutSeconds).toBe(60);
    expect(mirror.spec?.ports).toMatchObject([
      { name: "http", port: 80, appProtocol: "kubernetes.io/h2c" },
      { name: "admin", port: 9000 },
    ]);
    const targets = (mirror.spec?.ports ?? []).map(({ targetPort }) => Number(targetPort));
    expect(new Set(targets).size).toBe(2);
    for (const target of targets) {
      expect(target).toBeGreaterThanOrEqual(EGRESS_PORT_MIN);
      expect(target).toBeLessThanOrEqual(EGRESS_PORT_MAX);
    }

    const slice = await consumer.sees<EndpointSlice>(endpointSlices, "web-west-ipv4");
    expect(slice.metadata.labels).toMatchObject({
      [LABELS.serviceName]: "web-west",
      [LABELS.endpointSliceManagedBy]: ENDPOINT_SLICE_MANAGED_BY,
      [LABELS.link]: "west",
    });
    expect(slice.metadata.ownerReferences?.[0]?.uid).toBe(mirror.metadata.uid);
    expect(slice.addressType).toBe("IPv4");
    expect(slice.endpoints).toMatchObject([
      {
        addresses: ["10.1.0.5"],
        conditions: { ready: true, serving: true },
        targetRef: { kind: "Pod", namespace: INSTALL_NAMESPACE, name: "gateway-a" },
      },
    ]);
    expect((slice.ports ?? []).map(({ name, port }) => [name, port])).toEqual([
      ["http", targets[0]],
      ["admin", targets[1]],
    ]);

    const object = await consumer.sees<Endpoints>(endpoints, "web-west");
    expect(object.metadata.labels?.[LABELS.skipMirror]).toBe("true");
    expect(object.subsets?.[0]?.addresses?.map(({ ip }) => ip)).toEqual(["10.1.0.5"]);
    expect(new Set(object.subsets?.[0]?.ports?.map(({ port }) => port))).toEqual(new Set(targets));
    expect(await consumer.event(west, REASONS.MirrorCreated)).toMatchObject({ type: "Normal" });
  });

  test("has one slice only: kube-controller-manager does not mirror its Endpoints again", async () => {
    const { cluster, consumer, namespace, west } = setup;
    await consumer.opensMirror(west, "web");
    // An Endpoints object without the label is mirrored; when that is done, ours would be too.
    await makeForeignService(cluster.admin, namespace, "plain");
    await cluster.admin.create<Endpoints>(endpoints, {
      metadata: { namespace, name: "plain" },
      subsets: [{ addresses: [{ ip: "10.1.0.9" }], ports: [{ name: "http", port: 80 }] }],
    });
    const slicesOf = async (service: string) => {
      const labelSelector = `${LABELS.serviceName}=${service}`;
      return (await cluster.admin.list(endpointSlices, { namespace, labelSelector })).items;
    };
    await expect.poll(async () => (await slicesOf("plain")).length, { timeout: 15_000 }).toBe(1);
    expect((await slicesOf("web-west")).map(({ metadata }) => metadata.name)).toEqual([
      "web-west-ipv4",
    ]);
  });

  test("keeps an unnamed single port unnamed", async () => {
    const { consumer, namespace, west } = setup;
    west.put(exported(namespace, "web", { ports: [{ port: 80 }] }));
    const mirror = await consumer.sees<Service>(services, "web-west", isOpen);
    expect(mirror.spec?.ports?.[0]?.name).toBeUndefined();
    const slice = await consumer.sees<EndpointSlice>(endpointSlices, "web-west-ipv4");
    expect(slice.ports?.[0]?.name).toBe("");
  });

  test("has one IP family where the cluster has no two", async () => {
    const { consumer, west, namespace } = setup;
    west.put(exported(namespace, "web", { spec: { ipFamilyPolicy: "RequireDualStack" } }));
    const mirror = await consumer.sees<Service>(services, "web-west", isOpen);
    expect(mirror.spec?.ipFamilyPolicy).toBe("SingleStack");
    await consumer.settles("west", { mirrored: 1, skipped: 0 });
  });

  test("follows its source: ports added and removed, labels dropped, affinity ended", async () => {
    const { consumer, namespace, west } = setup;
    west.put(
      exported(namespace, "web", {
        ports: [
          { name: "http", port: 80 },
          { name: "old", port: 81 },
        ],
        spec: { sessionAffinity: "ClientIP" },
        labels: { team: "shop" },
        annotations: { note: "first" },
      }),
    );
    const before = await consumer.sees<Service>(services, "web-west", isOpen);
    west.put(
      exported(namespace, "web", {
        ports: [
          { name: "http", port: 80 },
          { name: "new", port: 82 },
        ],
      }),
    );
    const after = await consumer.sees<Service>(services, "web-west", ({ spec }) =>
      (spec?.ports ?? []).some(({ port }) => port === 82),
    );
    expect(after.metadata.uid).toBe(before.metadata.uid);
    expect(after.spec?.ports?.map(({ name }) => name).toSorted()).toEqual(["http", "new"]);
    expect(targetOf(after, 80)).toBe(targetOf(before, 80));
    expect(after.metadata.labels).not.toHaveProperty("team");
    expect(after.metadata.annotations).not.toHaveProperty("note");
    expect(after.spec?.sessionAffinity).toBe("None");
    await consumer.sees<EndpointSlice>(
      endpointSlices,
      "web-west-ipv4",
      ({ ports }) =>
        (ports ?? []).length === 2 && (ports ?? []).every(({ name }) => name !== "old"),
    );
  });
});

test("a steady state writes nothing", async () => {
  const { cluster, consumer, namespace, west } = setup;
  for (const name of ["a", "b", "c"]) await consumer.opensMirror(west, name);
  await consumer.settles("west", { mirrored: 3, skipped: 0 });
  const versions = async () => {
    const lists = await Promise.all(
      [services, endpointSlices, endpoints].map(
        async (resource) => (await cluster.admin.list<KubeObject>(resource, { namespace })).items,
      ),
    );
    return lists.flat().map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion ?? ""}`);
  };
  await consumer.sees<EndpointSlice>(endpointSlices, "c-west-ipv4", hasEndpoints);
  await consumer.sees<Endpoints>(endpoints, "c-west", ({ subsets }) => subsets?.length === 1);
  const [before, writesBefore] = [await versions(), await consumer.writes()];
  for (let round = 0; round < 5; round += 1) {
    west.change({ message: `round ${round}` });
    await consumer.opensMirror(west, `d${round}`);
    west.drop(`${namespace}/d${round}`);
    await consumer.misses(services, `d${round}-west`);
  }
  expect(await versions()).toEqual(before);
  const writes = await consumer.writes();
  expect(writes["apply services"] ?? 0).toBe(writesBefore["apply services"] ?? 0);
  expect(writes["apply endpointslices"] ?? 0).toBe(writesBefore["apply endpointslices"] ?? 0);
  expect(writes["create services"]).toBe((writesBefore["create services"] ?? 0) + 5);
});

test("a mirror that has to close does not wait for what else its link has to do", async () => {
  const { cluster, consumer, namespace, west } = setup;
  await consumer.opensMirror(west, "web");
  const sources = Array.from({ length: 60 }, (_, index) => `other-${index}`);
  for (const name of sources) west.put(exported(namespace, name));
  west.put(exported(namespace, "web"), { ready: false });
  const closed = await consumer.sees<Service>(services, "web-west", (it) => !isOpen(it));
  await consumer.settles("west", { mirrored: sources.length + 1, skipped: 0 });
  const { items } = await cluster.admin.list<Service>(services, { namespace });
  // One etcd counts all writes.
  const closedAt = Number(closed.metadata.resourceVersion);
  const before = items.filter(({ metadata }) => Number(metadata.resourceVersion) < closedAt);
  expect(before.length).toBeLessThan(sources.length / 2);
});

function hasEndpoints({ endpoints: all }: EndpointSlice): boolean {
  return (all ?? []).length > 0;
}

function targetOf(mirror: Service, port: number): unknown {
  return mirror.spec?.ports?.find((candidate) => candidate.port === port)?.targetPort;
}
