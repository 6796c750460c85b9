import { describe, expect, test } from "vitest";
import { ANNOTATIONS, LABELS, MANAGED_BY } from "../../api/names.ts";
import type { EndpointSlice, Service } from "../../api/objects.ts";
import { parseAuthority } from "./authority.ts";
import { type ConnectDecision, authorize } from "./authorize.ts";
import { EndpointIndex, pruneSlice } from "./endpoint-index.ts";
import { forbidTargets } from "./forbidden-addresses.ts";

const API_SERVER = { address: "10.9.9.9", port: 6443 };

interface World {
  annotations?: Record<string, string>;
  labels?: Record<string, string>;
  slices?: readonly EndpointSlice[];
  consumer?: string;
  authority?: string;
  random?: number;
}

/** Decides a request of east for `shop/web` port 80, which is exported with two endpoints but for what `world` changes. */
function decide(world: World = {}): ConnectDecision {
  const service: Service = {
    metadata: {
      namespace: "shop",
      name: "web",
      labels: world.labels ?? {},
      annotations: { [ANNOTATIONS.export]: "true", ...world.annotations },
    },
    spec: {
      clusterIP: "10.0.0.1",
      ports: [
        { name: "http", port: 80, targetPort: "web" },
        { name: "dns", port: 53, protocol: "UDP" },
        { name: "admin", port: 81 },
      ],
    },
  };
  const store = new Map<string, EndpointSlice>();
  const endpoints = new EndpointIndex(store);
  for (const raw of world.slices ?? [slice("a", ["10.1.0.1", "10.1.0.2"])]) {
    const kept = pruneSlice(raw);
    if (kept === undefined) continue;
    store.set(`shop/${kept.metadata.name}`, kept);
    endpoints.add(`shop/${kept.metadata.name}`, kept);
  }
  return authorize(
    {
      authority: parseAuthority(world.authority ?? "web.shop.svc:80"),
      consumer: world.consumer ?? "east",
    },
    {
      services: new Map([["shop/web", service]]),
      endpoints,
      forbids: forbidTargets(({ address }) => address === API_SERVER.address),
    },
    () => world.random ?? 0,
  );
}

function slice(
  name: string,
  addresses: readonly string[],
  change: (made: EndpointSlice) => Partial<EndpointSlice> = () => ({}),
): EndpointSlice {
  const made: EndpointSlice = {
    metadata: { namespace: "shop", name, labels: { [LABELS.serviceName]: "web" } },
    addressType: "IPv4",
    endpoints: addresses.map((address) => ({
      addresses: [address],
      conditions: { ready: true },
    })),
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
  };
  return { ...made, ...change(made) };
}

const refused = (decision: ConnectDecision) =>
  decision.ok ? decision.targets : `${decision.refusal.status} ${decision.refusal.reason}`;

describe("a permitted request", () => {
  test("goes to a ready endpoint at the target port, with another in reserve", () => {
    expect(decide()).toMatchObject({
      ok: true,
      targets: [
        { address: "10.1.0.1", port: 8080 },
        { address: "10.1.0.2", port: 8080 },
      ],
    });
    expect(decide({ random: 0.99 })).toMatchObject({ targets: [{ address: "10.1.0.2" }, {}] });
  });

  test("has no reserve when there is one endpoint", () => {
    expect(decide({ slices: [slice("a", ["10.1.0.1"])] })).toMatchObject({
      ok: true,
      targets: [{ address: "10.1.0.1", port: 8080 }],
    });
  });

  test("uses all slices of the Service, each with its own port", () => {
    const other = slice("b", ["fd00::1"], () => ({
      addressType: "IPv6",
      ports: [{ name: "http", port: 9090 }],
    }));
    expect(decide({ slices: [slice("a", ["10.1.0.1"]), other], random: 0.99 })).toMatchObject({
      ok: true,
      targets: [
        { address: "fd00::1", port: 9090 },
        { address: "10.1.0.1", port: 8080 },
      ],
    });
  });

  test("is permitted by name when export-to lists the consumer", () => {
    expect(decide({ annotations: { [ANNOTATIONS.exportTo]: "north, east" } }).ok).toBe(true);
  });
});

describe("a request is refused", () => {
  test.each<[string, World, string]>([
    ["when the authority is not of our form", { authority: "10.1.0.1:80" }, "400 AuthorityInvalid"],
    ["for a Service that is not there", { authority: "api.shop.svc:80" }, "404 NotExported"],
    [
      "when export is not true",
      { annotations: { [ANNOTATIONS.export]: "yes" } },
      "404 NotExported",
    ],
    ["for a mirror", { labels: { [LABELS.managedBy]: MANAGED_BY } }, "404 NotExported"],
    [
      "to a consumer that export-to leaves out",
      { annotations: { [ANNOTATIONS.exportTo]: "north" } },
      "403 ConsumerNotPermitted",
    ],
    [
      "when export-to cannot be read",
      { annotations: { [ANNOTATIONS.exportTo]: "*" } },
      "404 NotExported",
    ],
    ["for a port the Service lacks", { authority: "web.shop.svc:82" }, "403 PortNotExported"],
    ["for a UDP port", { authority: "web.shop.svc:53" }, "403 PortNotExported"],
    [
      "for a port that export-ports leaves out",
      { annotations: { [ANNOTATIONS.exportPorts]: "admin" } },
      "403 PortNotExported",
    ],
    ["without slices", { slices: [] }, "503 NoReadyEndpoints"],
    ["when no slice has the port", { authority: "web.shop.svc:81" }, "503 NoReadyEndpoints"],
  ])("%s", (_when, world, expected) => {
    expect(refused(decide(world))).toBe(expected);
  });
});

describe("an endpoint is never used", () => {
  test("when it is not ready; without the condition it is", () => {
    const conditions = [{ ready: false }, { ready: false, serving: true }, {}];
    const mixed = slice("a", [], () => ({
      endpoints: conditions.map((condition, index) => ({
        addresses: [`10.1.0.${index + 1}`],
        conditions: condition,
      })),
    }));
    expect(decide({ slices: [mixed] })).toMatchObject({
      ok: true,
      targets: [{ address: "10.1.0.3", port: 8080 }],
    });
  });

  test.each<[string, EndpointSlice]>([
    [
      "in a slice of ours (it would bounce to a third cluster)",
      slice("a", ["10.1.0.1"], ({ metadata }) => ({
        metadata: {
          ...metadata,
          labels: { ...metadata.labels, [LABELS.endpointSliceManagedBy]: "controller.isthmus.dev" },
        },
      })),
    ],
    ["by DNS name", slice("a", ["example.com"], () => ({ addressType: "FQDN" }))],
    ["on loopback", slice("a", ["127.0.0.1", "127.9.9.9"])],
    ["link-local, as a cloud's metadata service is", slice("a", ["169.254.169.254"])],
    [
      "unspecified, multicast or broadcast",
      slice("a", ["0.0.0.0", "224.0.0.1", "255.255.255.255"]),
    ],
    [
      "of those kinds in IPv6, or IPv4 in IPv6's clothes",
      slice("a", ["::1", "::", "fe80::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:7f00:1"], () => ({
        addressType: "IPv6",
      })),
    ],
    [
      "when it is the API server",
      slice("a", [API_SERVER.address], () => ({
        ports: [{ name: "http", port: API_SERVER.port }],
      })),
    ],
  ])("%s", (_what, unusable) => {
    expect(refused(decide({ slices: [unusable] }))).toBe("503 NoReadyEndpoints");
  });
});

test("few endpoints are looked at, however many there are that must not be reached", () => {
  let looks = 0;
  const targets = Array.from({ length: 100_000 }, () => ({ address: "127.0.0.1", port: 80 }));
  const service: Service = {
    metadata: { namespace: "shop", name: "web", annotations: { [ANNOTATIONS.export]: "true" } },
    spec: { clusterIP: "10.0.0.1", ports: [{ port: 80 }] },
  };
  const decision = authorize(
    { authority: parseAuthority("web.shop.svc:80"), consumer: "east" },
    {
      services: new Map([["shop/web", service]]),
      endpoints: { targets: () => targets },
      forbids: () => {
        looks += 1;
        return true;
      },
    },
    Math.random,
  );
  expect(refused(decision)).toBe("503 NoReadyEndpoints");
  expect(looks).toBe(16);
});

test("an index forgets a slice that is gone or went to another Service", () => {
  const store = new Map<string, EndpointSlice>();
  const index = new EndpointIndex(store);
  const made = slice("a", ["10.1.0.1"]);
  store.set("shop/a", made);
  index.add("shop/a", made);
  expect(index.targets("shop", "web", "http")).toHaveLength(1);
  const moved = {
    ...made,
    metadata: { ...made.metadata, labels: { [LABELS.serviceName]: "api" } },
  };
  store.set("shop/a", moved);
  index.remove("shop/a", made);
  index.add("shop/a", moved);
  expect(index.targets("shop", "web", "http")).toEqual([]);
  expect(index.targets("shop", "api", "http")).toHaveLength(1);
});
