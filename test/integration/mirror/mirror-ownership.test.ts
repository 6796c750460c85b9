import { describe, expect, test } from "vitest";
import { ANNOTATIONS, CONTROLLER_NAME, INSTALL_NAMESPACE, LABELS } from "../../../api/names.ts";
import type { EndpointSlice, KubeObject, Service } from "../../../api/objects.ts";
import { isOurs } from "../../../api/ownership.ts";
import { REASONS } from "../../../api/reasons.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { isOpen } from "./consumer.ts";
import { makeForeignService } from "./consumer-cluster.ts";
import { exported } from "./hand-links.ts";
import { useConsumer } from "./use-consumer.ts";

const { services, endpointSlices } = RESOURCES;
const setup = useConsumer();

describe("a Service of somebody else that has the mirror's name", () => {
  test("is left alone, and the mirror appears when it goes", async () => {
    const { cluster, consumer, west, namespace } = setup;
    const foreign = await makeForeignService(cluster.admin, namespace, "web-west");
    west.put(exported(namespace, "web"));
    const event = await consumer.event(west, REASONS.NameTaken);
    expect(event.note).toContain(`${namespace}/web-west`);
    expect(consumer.mirrors.skips("west")).toMatchObject([
      { source: `${namespace}/web`, reason: REASONS.NameTaken },
    ]);
    const kept = await consumer.sees<Service>(services, "web-west");
    expect(kept.metadata.resourceVersion).toBe(foreign.metadata.resourceVersion);
    await cluster.admin.remove(services, { namespace, name: "web-west" });
    await consumer.sees<Service>(services, "web-west", isOpen);
    await consumer.settles("west", { mirrored: 1, skipped: 0 });
  });

  test("and appears between our look and our write is not adopted", async () => {
    const { cluster, consumer, west, namespace } = setup;
    let foreign: Service | undefined;
    consumer.beforeCreate = async (path) => {
      if (!path.endsWith("/services")) return;
      foreign ??= await makeForeignService(cluster.admin, namespace, "web-west");
    };
    west.put(exported(namespace, "web"));
    expect((await consumer.event(west, REASONS.NameTaken)).type).toBe("Warning");
    const kept = await consumer.sees<Service>(services, "web-west");
    expect(kept.metadata.resourceVersion).toBe(foreign?.metadata.resourceVersion);
    expect((await consumer.writes())["create services"]).toBeUndefined();
    await cluster.admin.remove(services, { namespace, name: "web-west" });
    await consumer.sees<Service>(services, "web-west", isOpen);
    await consumer.settles("west", { mirrored: 1, skipped: 0 });
  });

  test("and an EndpointSlice of somebody else with the name of ours is left alone too", async () => {
    const { cluster, consumer, west, namespace } = setup;
    await cluster.admin.create<EndpointSlice>(endpointSlices, {
      metadata: { namespace, name: "web-west-ipv4" },
      addressType: "IPv4",
      endpoints: [],
      ports: [],
    });
    west.put(exported(namespace, "web"));
    expect((await consumer.event(west, REASONS.NameTaken)).note).toContain("EndpointSlice");
    const slice = await consumer.sees<EndpointSlice>(endpointSlices, "web-west-ipv4");
    expect(slice.endpoints ?? []).toEqual([]);
    await cluster.admin.remove(endpointSlices, { namespace, name: "web-west-ipv4" });
    await consumer.sees<EndpointSlice>(endpointSlices, "web-west-ipv4", isOurs);
  });
});

describe("of two sources that yield one name", () => {
  test("the mirror that exists wins, and the other follows when it goes", async () => {
    const { consumer, west, namespace } = setup;
    const template = { nameTemplate: "{service}-far", createNamespaces: false };
    west.change({ spec: { ...west.view.spec, mirror: template } });
    const north = consumer.links.add("north", { mirror: template });
    west.put(exported(namespace, "web", { creationTimestamp: "2026-02-02T00:00:00Z" }));
    const first = await consumer.sees<Service>(services, "web-far", isOpen);
    // Older, and too late.
    north.put(exported(namespace, "web", { creationTimestamp: "2026-01-01T00:00:00Z" }));
    expect((await consumer.event(north, REASONS.NameCollision)).note).toContain("Link west");
    expect((await consumer.find(services, "web-far"))?.metadata.uid).toBe(first.metadata.uid);
    west.drop(`${namespace}/web`);
    await consumer.sees<Service>(
      services,
      "web-far",
      (mirror) => mirror.metadata.labels?.[LABELS.link] === "north" && isOpen(mirror),
    );
    await consumer.settles("north", { mirrored: 1, skipped: 0 });
  });

  test("the older source wins when neither has one", async () => {
    const { consumer, west, namespace } = setup;
    const template = { nameTemplate: "{service}-far", createNamespaces: false };
    const later = `${namespace}-later`;
    west.change({ spec: { ...west.view.spec, mirror: template } });
    const north = consumer.links.add("north", { mirror: template });
    west.put(exported(later, "web", { creationTimestamp: "2026-02-02T00:00:00Z" }));
    north.put(exported(later, "web", { creationTimestamp: "2026-01-01T00:00:00Z" }));
    await consumer.event(north, REASONS.NamespaceMissing);
    await consumer.admin.create<KubeObject>(RESOURCES.namespaces, { metadata: { name: later } });
    const mirror = await consumer.sees<Service>(services, "web-far", isOpen, later);
    expect(mirror.metadata.annotations?.[ANNOTATIONS.source]).toBe(`north/${later}/web`);
    await consumer.event(west, REASONS.NameCollision);
    await consumer.admin.remove(RESOURCES.namespaces, { name: later });
  });

  test("a Link that was made again under another name takes the mirrors over", async () => {
    const { consumer, west, namespace } = setup;
    await consumer.opensMirror(west, "web");
    consumer.links.add("renamed", { clusterName: "west" }).put(exported(namespace, "web"));
    consumer.links.remove("west");
    await consumer.sees<Service>(
      services,
      "web-west",
      (mirror) => mirror.metadata.labels?.[LABELS.link] === "renamed" && isOpen(mirror),
    );
    await expect.poll(() => consumer.mirrors.hasObjects("west"), { timeout: 15_000 }).toBe(false);
    const slice = await consumer.sees<EndpointSlice>(
      endpointSlices,
      "web-west-ipv4",
      ({ metadata }) => metadata.labels?.[LABELS.link] === "renamed",
    );
    expect(slice.endpoints).toHaveLength(1);
  });
});

describe("a mirror whose labels were stripped", () => {
  test("is left alone, takes no traffic, and is ours again when they are back", async () => {
    const { consumer, west, namespace } = setup;
    await consumer.opensMirror(west, "web");
    const stripped = { [LABELS.managedBy]: null };
    await consumer.edits(services, "web-west", { metadata: { labels: stripped } });
    await consumer.event(west, REASONS.OwnershipLost);
    await consumer.misses(endpointSlices, "web-west-ipv4");
    const left = await consumer.sees<Service>(services, "web-west");
    expect(left.metadata.labels).not.toHaveProperty([LABELS.managedBy]);
    west.drop(`${namespace}/web`);
    west.put(exported(namespace, "web"));
    const back = { [LABELS.managedBy]: "isthmus" };
    await consumer.edits(services, "web-west", { metadata: { labels: back } });
    await consumer.sees<EndpointSlice>(endpointSlices, "web-west-ipv4", ({ endpoints: all }) => {
      return all?.length === 1;
    });
    await consumer.settles("west", { mirrored: 1, skipped: 0 });
  });
});

test("a write that RBAC forbids is told with its verb and resource, and made once it is allowed", async () => {
  const { cluster, consumer, west, namespace } = setup;
  const { admin } = cluster;
  const key = { name: CONTROLLER_NAME };
  const { rules = [] } = await admin.get<ClusterRole>(RESOURCES.clusterRoles, key);
  const less = rules.map((rule) =>
    rule.resources.includes("services")
      ? { ...rule, verbs: rule.verbs.filter((verb) => verb !== "create") }
      : rule,
  );
  await admin.patch(RESOURCES.clusterRoles, key, { rules: less }, { type: "merge" });
  try {
    // The authorizer follows with a cache of its own.
    await expect.poll(mayCreateServices, { timeout: 15_000 }).toBe(false);
    west.put(exported(namespace, "web"));
    const event = await consumer.event(west, REASONS.WriteForbidden);
    expect(event.note).toContain("may not create services");
    expect(event.regarding?.namespace).toBe(INSTALL_NAMESPACE);
  } finally {
    await admin.patch(RESOURCES.clusterRoles, key, { rules }, { type: "merge" });
  }
  await consumer.sees<Service>(services, "web-west", isOpen);
  await consumer.settles("west", { mirrored: 1, skipped: 0 });
});

type ClusterRole = KubeObject & { rules?: { resources: string[]; verbs: string[] }[] };

async function mayCreateServices(): Promise<boolean> {
  const { status } = await setup.cluster.admin.request<{ status: { allowed: boolean } }>({
    method: "POST",
    path: "/apis/authorization.k8s.io/v1/subjectaccessreviews",
    body: {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      spec: {
        user: `system:serviceaccount:${INSTALL_NAMESPACE}:${CONTROLLER_NAME}`,
        resourceAttributes: { verb: "create", resource: "services", namespace: setup.namespace },
      },
    },
  });
  return status.allowed;
}
