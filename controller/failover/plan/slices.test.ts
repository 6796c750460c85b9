import { expect, test } from "vitest";
import { ANNOTATIONS } from "../../../api/names.ts";
import type { Service } from "../../../api/objects.ts";
import { failingOverBy } from "../../../api/ownership.ts";
import { REASONS } from "../../../api/reasons.ts";
import type { GatewayPod } from "../../own-cluster/gateway-pods.ts";
import type { FailoverPlan } from "./plan.ts";
import { failoverSlices, recordOf } from "./slices.ts";

const SINCE = "2026-11-21T10:00:00.000Z";
const service: Service = {
  metadata: { namespace: "shop", name: "web", uid: "7", labels: { team: "a" } },
  spec: { ipFamilies: ["IPv6", "IPv4"] },
};
const gateways: GatewayPod[] = ["a", "b"].map((name, index) => ({
  name,
  namespace: "isthmus-system",
  uid: `uid-${name}`,
  nodeName: "node",
  addresses: index === 0 ? { IPv4: "10.1.0.5", IPv6: "fd00::5" } : { IPv4: "10.1.0.6" },
}));
const plan: FailoverPlan = {
  target: {
    source: { cluster: "west", namespace: "shop", name: "web-v2" },
    link: "to-west",
    ports: [{ name: "http", protocol: "TCP", port: 10_001 }],
    healthy: true,
    reason: REASONS.MirrorOpen,
    message: "",
    findings: [],
  },
  readyEndpoints: 0,
  restForm: "standby",
  state: "standby",
  reason: REASONS.FailoverStandby,
  message: "",
  findings: [],
};

function pod(name: string) {
  return { kind: "Pod", namespace: "isthmus-system", name, uid: `uid-${name}` };
}

const slicesOf = (change: Partial<FailoverPlan>) =>
  failoverSlices({ service, plan: { ...plan, ...change }, gateways, since: SINCE });
const conditionsOf = (change: Partial<FailoverPlan>) =>
  slicesOf(change)
    .find(({ addressType }) => addressType === "IPv4")
    ?.endpoints?.map(({ conditions }) => conditions);

test("the slice of a family is the contract's, word for word", () => {
  const conditions = { ready: false, serving: true, terminating: true };
  expect(slicesOf({})[1]).toEqual({
    metadata: {
      name: "web.failover-ipv4",
      namespace: "shop",
      labels: {
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "controller.isthmus.dev",
        "app.kubernetes.io/managed-by": "isthmus",
        "isthmus.dev/link": "to-west",
        "isthmus.dev/failover-for": "web",
      },
      annotations: {
        "isthmus.dev/source": "west/shop/web-v2",
        "isthmus.dev/state": "standby",
        "isthmus.dev/state-reason": "FailoverStandby",
        "isthmus.dev/state-since": SINCE,
      },
      ownerReferences: [{ apiVersion: "v1", kind: "Service", name: "web", uid: "7" }],
    },
    addressType: "IPv4",
    endpoints: [
      { addresses: ["10.1.0.5"], conditions, targetRef: pod("a") },
      { addresses: ["10.1.0.6"], conditions, targetRef: pod("b") },
    ],
    ports: [{ name: "http", protocol: "TCP", port: 10_001 }],
  });
});

test("each IP family of the Service has one, with the gateways that have such an address", () => {
  expect(
    slicesOf({}).map(({ metadata, addressType, endpoints }) => [
      metadata.name,
      addressType,
      endpoints?.flatMap(({ addresses }) => addresses),
    ]),
  ).toEqual([
    ["web.failover-ipv6", "IPv6", ["fd00::5"]],
    ["web.failover-ipv4", "IPv4", ["10.1.0.5", "10.1.0.6"]],
  ]);
});

test("without a target there are none", () => {
  expect(slicesOf({ target: undefined })).toEqual([]);
});

test("endpoints that take part are ready, the others stand by or are left out", () => {
  const ready = { ready: true, serving: true, terminating: false };
  const standby = { ready: false, serving: true, terminating: true };
  expect(conditionsOf({ restForm: "standby" })).toEqual([standby, standby]);
  expect(conditionsOf({ restForm: "absent" })).toEqual([]);
  expect(conditionsOf({ restForm: "absent", readyEndpoints: 1 })).toEqual([ready]);
  expect(conditionsOf({ restForm: "absent", readyEndpoints: 2 })).toEqual([ready, ready]);
});

test("what slices record is read back, and what nobody can have written is not", () => {
  const slices = slicesOf({ state: "returning" });
  expect(recordOf(slices)).toEqual({
    target: plan.target?.source,
    state: "returning",
    since: SINCE,
  });
  expect(recordOf([])).toEqual({ target: undefined, state: undefined, since: undefined });
  const annotations = { [ANNOTATIONS.source]: "west", [ANNOTATIONS.state]: "toString" };
  const [slice] = slices;
  if (slice === undefined) throw new Error("no slice");
  const edited = { ...slice, metadata: { ...slice.metadata, annotations } };
  expect(recordOf([edited])).toEqual({ target: undefined, state: undefined, since: undefined });
});

test("a slice of ours tells which Service it fails over, others do not, whatever their labels", () => {
  for (const slice of slicesOf({})) {
    expect(failingOverBy(slice)).toBe("shop/web");
    const { labels = {} } = slice.metadata;
    expect(failingOverBy({ metadata: { ...slice.metadata, name: "web-ipv4" } })).toBeUndefined();
    const other = { ...labels, "isthmus.dev/failover-for": "api" };
    expect(failingOverBy({ metadata: { ...slice.metadata, labels: other } })).toBeUndefined();
    expect(failingOverBy({ metadata: { ...slice.metadata, labels: {} } })).toBeUndefined();
  }
});
