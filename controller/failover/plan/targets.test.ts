import { expect, test } from "vitest";
import type { FailoverPolicy, FailoverPort } from "../../../api/failover.ts";
import { ANNOTATIONS } from "../../../api/names.ts";
import type { Service, ServicePort } from "../../../api/objects.ts";
import { REASONS } from "../../../api/reasons.ts";
import { assessTarget, type TargetFacts } from "./targets.ts";

const source = { cluster: "west", namespace: "shop", name: "web" };
const http: FailoverPort = { own: { name: "http", port: 80 }, theirs: undefined };
const grpc: FailoverPort = {
  own: { name: "grpc", port: 9000, appProtocol: "kubernetes.io/h2c" },
  theirs: undefined,
};
const offered: ServicePort[] = [
  { name: "http", port: 8080, targetPort: 10_001 },
  { name: "rpc", port: 9001, targetPort: 10_002 },
];

function mirror(annotations: Record<string, string>, ports = offered): Service {
  return { metadata: { name: "web-west", annotations }, spec: { ports } };
}

const open = mirror({
  [ANNOTATIONS.state]: "open",
  [ANNOTATIONS.stateReason]: REASONS.MirrorOpen,
  [ANNOTATIONS.stateMessage]: "all is well",
});
const closed = mirror({
  [ANNOTATIONS.state]: "closed",
  [ANNOTATIONS.stateReason]: REASONS.NoReadyEndpoints,
  [ANNOTATIONS.stateMessage]: "no endpoint is ready",
});

function assess(facts: Partial<TargetFacts>, ports: readonly FailoverPort[] = [http]) {
  const policy: FailoverPolicy = {
    targets: [source],
    mode: "standby",
    ports,
    activateAfterMs: 0,
    failbackAfterMs: 0,
  };
  const link = { name: "to-west", open: true };
  const all = { source, link, mirror: open, whyNoMirror: undefined, ...facts };
  return assessTarget("shop/web", all, policy);
}

test.for<[string, Partial<TargetFacts>, string, RegExp]>([
  [
    "there is no Link",
    { link: undefined },
    "FailoverTargetUnknown",
    /no Link to cluster west; correct annotation .*, or join/,
  ],
  [
    "it is not mirrored",
    { mirror: undefined },
    "FailoverTargetMissing",
    /does not export it to this cluster; export it there/,
  ],
  [
    "its mirror is skipped",
    {
      mirror: undefined,
      whyNoMirror: { reason: REASONS.NameTaken, message: "Service web-west exists." },
    },
    "FailoverTargetMissing",
    /west\/shop\/web is not mirrored here.*: Service web-west exists\.$/,
  ],
  [
    "its mirror has no port that fits",
    { mirror: mirror({}, [{ name: "admin", port: 81, targetPort: 10_003 }]) },
    "FailoverPortMismatch",
    /has no port http.*its ports are admin\. Name them alike, or pair them as own=theirs/,
  ],
])("a target cannot be used when %s, and what to do is told", ([, facts, reason, message]) => {
  const target = assess(facts);
  expect(target).toMatchObject({ ports: [], healthy: false, reason });
  expect(target.findings).toEqual([{ reason, message: expect.stringMatching(message) }]);
});

test.for<[string, Partial<TargetFacts>, boolean, string]>([
  ["Link and mirror are good", {}, true, REASONS.MirrorOpen],
  ["the Link is not Ready", { link: { name: "w", open: false } }, false, REASONS.LinkNotReady],
  ["the mirror is closed", { mirror: closed }, false, REASONS.NoReadyEndpoints],
  ["the mirror has no state yet", { mirror: mirror({}) }, false, REASONS.NotReady],
  [
    "the mirror's reason is unknown here",
    { mirror: mirror({ [ANNOTATIONS.state]: "open", [ANNOTATIONS.stateReason]: "Fine" }) },
    true,
    REASONS.NotReady,
  ],
])("its health when %s", ([, facts, healthy, reason]) => {
  const target = assess(facts);
  expect(target).toMatchObject({ healthy, reason, findings: [] });
  expect(target.ports).toEqual([{ name: "http", protocol: "TCP", port: 10_001 }]);
});

test("a target that was not looked at yet is missing, and nobody is told", () => {
  const target = assess({ mirror: undefined, whyNoMirror: "pending" });
  expect(target).toMatchObject({ ports: [], healthy: false, findings: [] });
  expect(target.message).toContain("has not been looked at yet");
});

test("ports are the Service's own names with the egress ports of the mirror", () => {
  const target = assess({}, [http, { ...grpc, theirs: "rpc" }]);
  expect(target.ports).toEqual([
    { name: "http", protocol: "TCP", port: 10_001 },
    { name: "grpc", protocol: "TCP", port: 10_002, appProtocol: "kubernetes.io/h2c" },
  ]);
  expect(target.findings).toEqual([]);
});

test("a port without counterpart is told, and the others fail over", () => {
  const target = assess({}, [http, { ...grpc, theirs: "none" }]);
  expect(target.healthy).toBe(true);
  expect(target.ports.map(({ name }) => name)).toEqual(["http"]);
  expect(target.findings[0]?.message).toMatch(/has no port none.*its ports are http, rpc\./);
});

test("a port without a name has none in the slice either", () => {
  const mirrored = mirror({ [ANNOTATIONS.state]: "open" }, [{ port: 80, targetPort: 10_009 }]);
  const target = assess({ mirror: mirrored }, [{ own: { port: 80 }, theirs: undefined }]);
  expect(target.ports).toEqual([{ name: "", protocol: "TCP", port: 10_009 }]);
});

test("a Service none of whose ports fails over has no target that can be used", () => {
  const target = assess({}, []);
  expect(target).toMatchObject({ ports: [], healthy: false, reason: "FailoverPortMismatch" });
  expect(target.message).toContain("Service shop/web has no TCP port that fails over");
});
