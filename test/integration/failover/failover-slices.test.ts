import { describe, expect, test } from "vitest";
import { ANNOTATIONS, CONTROLLER_FIELD_MANAGER } from "../../../api/names.ts";
import type { Service } from "../../../api/objects.ts";
import { REASONS } from "../../../api/reasons.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { NAMESPACE, useShop } from "./shop.ts";
import { makeAppPod, makeNode, setAppReady } from "./app-pods.ts";

const { services, endpointSlices, pods } = RESOURCES;
const shop = useShop();

describe("the slices of a Service", () => {
  test("are the contract's, word for word, for several ports of which some are called otherwise there", async () => {
    const theirs = [
      { name: "http", port: 8080 },
      { name: "rpc", port: 9001 },
      { name: "admin", port: 9090 },
    ];
    await shop().exports("west", "web-v2", { namespace: "other", spec: { ports: theirs } });
    const ports = await shop().mirrorPorts("web-v2-west", "other");
    const made = await shop().failsOver("many", "west/other/web-v2", {
      annotations: { [ANNOTATIONS.failoverPorts]: "http,grpc=rpc,9090" },
      spec: {
        ports: [
          { name: "http", port: 80 },
          { name: "grpc", port: 9000, appProtocol: "kubernetes.io/h2c" },
          { name: "manage", port: 9090 },
          { name: "left-out", port: 9091 },
        ],
      },
    });
    const { metadata, ...slice } = await shop().says("many", "standby west");
    const { name, namespace, labels, annotations, ownerReferences, managedFields } = metadata;
    const since = annotations?.[ANNOTATIONS.stateSince] ?? "";
    expect({ name, namespace, labels, annotations, ownerReferences, ...slice }).toEqual({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      name: "many.failover-ipv4",
      namespace: "shop",
      labels: {
        "kubernetes.io/service-name": "many",
        "endpointslice.kubernetes.io/managed-by": "controller.isthmus.dev",
        "app.kubernetes.io/managed-by": "isthmus",
        "isthmus.dev/link": "west",
        "isthmus.dev/failover-for": "many",
      },
      annotations: {
        "isthmus.dev/source": "west/other/web-v2",
        "isthmus.dev/state": "standby",
        "isthmus.dev/state-reason": "FailoverStandby",
        "isthmus.dev/state-since": new Date(since).toISOString(),
      },
      ownerReferences: [
        { apiVersion: "v1", kind: "Service", name: "many", uid: made.metadata.uid },
      ],
      addressType: "IPv4",
      endpoints: [endpoint("gateway-a", "10.1.0.5"), endpoint("gateway-b", "10.1.0.6")],
      ports: [
        { name: "http", protocol: "TCP", port: ports["http"] },
        { name: "grpc", protocol: "TCP", port: ports["rpc"], appProtocol: "kubernetes.io/h2c" },
        { name: "manage", protocol: "TCP", port: ports["admin"] },
      ],
    });
    expect(managersOf({ metadata: { name, managedFields: managedFields ?? [] } })).toEqual([
      CONTROLLER_FIELD_MANAGER,
    ]);
  });

  test("leave the Service as it is, and so does whatever ends failover", async () => {
    await shop().exports("west", "plain");
    await shop().failsOver("plain", "west");
    const before = await shop().service("plain");
    await shop().says("plain", "standby west");
    await shop().annotates("plain", { [ANNOTATIONS.export]: null }, "west");
    await shop().misses("plain");
    await shop().tells("plain", REASONS.FailoverTargetMissing, "west/shop/plain is not mirrored");
    await shop().annotates("plain", { [ANNOTATIONS.export]: "true" }, "west");
    await shop().says("plain", "standby west");
    expect(await shop().service("plain")).toEqual(before);
    await shop().annotates("plain", { [ANNOTATIONS.failover]: null });
    await shop().misses("plain");
    const after = await shop().service("plain");
    expect(after.spec).toEqual(before.spec);
    expect(after.metadata.annotations).toBeUndefined();
    expect(managersOf(after)).not.toContain(CONTROLLER_FIELD_MANAGER);
  });

  test("stand beside the user's own of a Service without selector, which stay as they are", async () => {
    await shop().exports("west", "theirs");
    await shop().failsOver("theirs", "west");
    const key = { namespace: NAMESPACE, name: "theirs-own" };
    const before = await shop().east.get(endpointSlices, key);
    await shop().says("theirs", "standby west");
    await shop().annotates("theirs", { [ANNOTATIONS.failover]: null });
    await shop().misses("theirs");
    expect(await shop().east.get(endpointSlices, key)).toEqual(before);
  });

  test.each(["with a selector", "without one"])(
    "make a Service %s that has no endpoints at all an alias of the first healthy cluster",
    async (kind) => {
      const name = kind === "with a selector" ? "alias-of-none" : "alias";
      const selector = kind === "with a selector" ? { app: "nobody" } : {};
      await shop().exports("north", name);
      const spec = { ports: [{ name: "http", port: 80 }], selector };
      await shop().failsOver(name, "west,north", { spec, ready: undefined });
      await shop().says(name, "active north");
      const told = await shop().tells(name, REASONS.FailoverActivated);
      expect(told.note).toContain(`connections go to north/shop/${name}.`);
    },
  );
});

describe("bad annotations", () => {
  let count = 0;
  test.each<[string, Record<string, string>, string, RegExp]>([
    [
      "an unknown cluster",
      { failover: "nowhere,west" },
      "FailoverTargetUnknown",
      /no Link to cluster nowhere; correct annotation isthmus\.dev\/failover, or join/,
    ],
    [
      "itself",
      { failover: "east,west" },
      "FailoverInvalid",
      /names east, which is this cluster itself; name another/,
    ],
    [
      "one cluster twice",
      { failover: "west,west" },
      "FailoverInvalid",
      /names west twice; the first counts, remove the other/,
    ],
    [
      "no name at all",
      { failover: "West!,west" },
      "FailoverInvalid",
      /has West!, which is neither the name of a cluster/,
    ],
    [
      "50 names",
      { failover: ["west", ...Array.from({ length: 49 }, (_, i) => `c${i}`)].join() },
      "FailoverInvalid",
      /names 50 targets, of which the first 16 are used; remove c15\//,
    ],
    [
      "a cluster without that Service",
      { failover: "north,west" },
      "FailoverTargetMissing",
      /cluster north does not export it to this cluster; export it there/,
    ],
    [
      "a port that is not there",
      { "failover-ports": "http,grpc" },
      "FailoverInvalid",
      /has grpc, which is no TCP port of the Service/,
    ],
    [
      "a port that the target has not",
      { "failover-ports": "http,admin" },
      "FailoverPortMismatch",
      /west\/shop\/bad-\d+ has no port admin.*its ports are http\. Name them alike, or pair them as own=theirs/,
    ],
    [
      "a mode that there is not",
      { "failover-mode": "auto" },
      "FailoverInvalid",
      /is auto, so standby counts; use standby or active/,
    ],
    [
      "a delay that is none",
      { "failover-failback-after": "soon" },
      "FailoverInvalid",
      /is soon, so 30s counts; use a duration such as 30s/,
    ],
  ])(
    "with %s are told in an Event that names the fix, and the rest works",
    async (_, given, reason, note) => {
      count += 1;
      const name = `bad-${count}`;
      await shop().exports("west", name);
      const annotations = Object.fromEntries(
        Object.entries(given).map(([key, value]) => [`isthmus.dev/${key}`, value]),
      );
      const ports = [
        { name: "http", port: 80 },
        { name: "admin", port: 81 },
      ];
      const made = await shop().failsOver(name, "west", { annotations, spec: { ports } });
      const slice = await shop().says(name, "standby west");
      expect(slice.ports?.map((port) => port.name)).toEqual(["http"]);
      const event = await shop().tells(name, reason);
      expect(event.type).toBe("Warning");
      expect(event.note).toMatch(note);
      expect(event.regarding?.uid).toBe(made.metadata.uid);
      expect(event.reportingController).toBe("isthmus.dev/isthmus-controller");
    },
  );
});

describe("a Service that cannot fail over", () => {
  test.each<[string, Service["spec"], RegExp]>([
    ["headless", { clusterIP: "None" }, /it is headless.*use a Service with a ClusterIP/],
    [
      "external",
      { type: "ExternalName", externalName: "example.com" } as Service["spec"],
      /ExternalName has no endpoints; use/,
    ],
    [
      "local",
      { internalTrafficPolicy: "Local" },
      /internalTrafficPolicy Local keeps connections.*use Cluster/,
    ],
  ])("(%s) has no slices, and an Event says why", async (kind, spec, note) => {
    await shop().exports("west", kind);
    await shop().failsOver(kind, "west", { spec: spec ?? {} });
    expect((await shop().tells(kind, REASONS.FailoverUnsupported)).note).toMatch(note);
    expect(await shop().slice(kind)).toBeUndefined();
  });

  test("since it became so loses its slices, and has them again when it can", async () => {
    await shop().exports("west", "changing");
    await shop().failsOver("changing", "west");
    await shop().says("changing", "standby west");
    const key = { namespace: NAMESPACE, name: "changing" };
    const set = async (internalTrafficPolicy: string) =>
      await shop().east.patch(
        services,
        key,
        { spec: { internalTrafficPolicy } },
        { type: "merge" },
      );
    await set("Local");
    await shop().misses("changing");
    await shop().tells("changing", REASONS.FailoverUnsupported);
    const metrics = await shop().links.registry.getSingleMetricAsString("isthmus_failover_active");
    expect(metrics).not.toContain("changing");
    await set("Cluster");
    await shop().says("changing", "standby west");
  });
});

describe("pods and the cluster's own EndpointSlice controller:", () => {
  test("the Service fails over when its last pod is not ready, and back when one is", async () => {
    await shop().exports("west", "app");
    await makeNode(shop().east, "node-a");
    await makeAppPod(shop().east, "app", true, "node-a");
    await shop().failsOver("app", "west", { spec: appSpec("app"), ready: undefined });
    const before = await shop().says("app", "standby west");
    await setAppReady(shop().east, "app", false);
    const active = await shop().says("app", "active west");
    expect(active.endpoints).toEqual(before.endpoints);
    await setAppReady(shop().east, "app", true);
    await shop().says("app", "standby west");
  });

  test("with publishNotReadyAddresses only when there is no pod at all, which is told", async () => {
    await shop().exports("west", "published");
    await makeAppPod(shop().east, "published", false);
    const spec = { ...appSpec("published"), publishNotReadyAddresses: true };
    await shop().failsOver("published", "west", { spec, ready: undefined });
    await shop().tells("published", REASONS.FailoverLimited, "counts every pod as ready");
    const before = await shop().says("published", "standby west");
    await shop().east.remove(pods, { namespace: NAMESPACE, name: "published" });
    const active = await shop().says("published", "active west");
    expect(active.endpoints).toEqual(before.endpoints);
  });
});

function appSpec(app: string): NonNullable<Service["spec"]> {
  return { ports: [{ name: "http", port: 80 }], selector: { app } };
}

/** Who wrote something of an object. */
function managersOf({ metadata }: Service): string[] {
  return [...new Set((metadata.managedFields ?? []).map(({ manager = "" }) => manager))];
}

/** The contract's endpoint of a gateway that stands by. */
function endpoint(pod: string, address: string): object {
  return {
    addresses: [address],
    conditions: { ready: false, serving: true, terminating: true },
    targetRef: {
      kind: "Pod",
      namespace: "isthmus-system",
      name: pod,
      uid: expect.stringMatching(/^[-0-9a-f]{36}$/),
    },
  };
}
