import { expect, test } from "vitest";
import type { Condition } from "../../../api/conditions.ts";
import type { Link } from "../../../api/link.ts";
import {
  ANNOTATIONS,
  CONTROLLER_FIELD_MANAGER,
  ENDPOINT_SLICE_MANAGED_BY,
  LABELS,
  MANAGED_BY,
} from "../../../api/names.ts";
import type { Endpoint, EndpointConditions, EndpointSlice, Service } from "../../../api/objects.ts";
import { failoverSliceName } from "../../../api/ownership.ts";
import { assessService } from "./assess.ts";
import { KnownTargets } from "./known-targets.ts";
import type { ServiceReport } from "./report.ts";

const SINCE = "2026-01-01T00:00:00Z";
const READY: EndpointConditions = { ready: true, serving: true, terminating: false };
const STANDBY: EndpointConditions = { ready: false, serving: true, terminating: true };
const ours = [{ manager: CONTROLLER_FIELD_MANAGER }];

/** What there is; all else is as when west stands by for shop/web. */
interface Scene {
  annotations?: Record<string, string>;
  spec?: Service["spec"];
  /** Whether the Service's own endpoint is ready; undefined: it has none. */
  own?: boolean | undefined;
  /** Where our slice leads, with which endpoints, and the state that it records; undefined: there is none. */
  slice?: { to?: string; endpoints?: EndpointConditions[]; records?: string } | undefined;
  /** Links by name: whether they are Ready. */
  links?: Record<string, boolean>;
  /** Mirrors of shop/web by Link: whether they are open. */
  mirrors?: Record<string, boolean>;
  /** What bears our labels, and was written by somebody else. */
  forged?: "slice" | "mirrors";
}

function service({ annotations, spec }: Scene): Service {
  return {
    metadata: {
      namespace: "shop",
      name: "web",
      annotations: { [ANNOTATIONS.failover]: "west,north", ...annotations },
    },
    spec: { clusterIP: "10.0.0.1", ports: [{ name: "http", port: 80 }], ...spec },
  };
}

function endpointsOf(conditions: EndpointConditions[]): Endpoint[] {
  return conditions.map((each) => ({ addresses: ["10.1.0.5"], conditions: each }));
}

function slicesOf(scene: Scene): EndpointSlice[] {
  const own = "own" in scene ? scene.own : true;
  const slice = "slice" in scene ? scene.slice : {};
  const { to = "west", endpoints = [STANDBY], records = "standby" } = slice ?? {};
  const ownSlice = {
    metadata: { namespace: "shop", name: "web-x7k2p", labels: { [LABELS.serviceName]: "web" } },
    endpoints: endpointsOf([{ ready: own ?? false }]),
  };
  const ourSlice = {
    metadata: {
      namespace: "shop",
      name: failoverSliceName("web", "IPv4"),
      labels: {
        [LABELS.serviceName]: "web",
        [LABELS.failoverFor]: "web",
        [LABELS.link]: to,
        [LABELS.managedBy]: MANAGED_BY,
        [LABELS.endpointSliceManagedBy]: ENDPOINT_SLICE_MANAGED_BY,
      },
      annotations: {
        [ANNOTATIONS.source]: `${to}/shop/web`,
        [ANNOTATIONS.state]: records,
        [ANNOTATIONS.stateSince]: SINCE,
      },
      managedFields: scene.forged === "slice" ? [] : ours,
    },
    endpoints: endpointsOf(endpoints),
  };
  return [...(own === undefined ? [] : [ownSlice]), ...(slice === undefined ? [] : [ourSlice])];
}

function knownIn(scene: Scene): KnownTargets {
  const { links = { west: true, north: true }, mirrors = { west: true, north: true } } = scene;
  const linkObjects = Object.entries(links).map(([name, isReady]): Link => {
    const ready: Condition = {
      type: "Ready",
      status: isReady ? "True" : "False",
      reason: "",
      message: "",
      lastTransitionTime: SINCE,
    };
    return { metadata: { name }, status: { conditions: [ready] } };
  });
  const mirrorObjects = Object.entries(mirrors).map(([link, open], index): Service => {
    const [state, reason] = open ? ["open", "MirrorOpen"] : ["closed", "NoReadyEndpoints"];
    return {
      metadata: {
        namespace: "shop",
        name: `web-${link}`,
        labels: { [LABELS.link]: link, [LABELS.managedBy]: MANAGED_BY },
        annotations: {
          [ANNOTATIONS.source]: `${link}/shop/web`,
          [ANNOTATIONS.state]: state,
          [ANNOTATIONS.stateReason]: reason,
        },
        managedFields: scene.forged === "mirrors" ? [] : ours,
      },
      spec: { ports: [{ name: "http", port: 80, targetPort: 10_000 + index }] },
    };
  });
  return new KnownTargets(linkObjects, mirrorObjects);
}

function assess(scene: Scene): ServiceReport {
  const around = { ownCluster: "east", slices: slicesOf(scene), known: knownIn(scene) };
  const report = assessService(service(scene), around);
  if (report === undefined) throw new Error("it does not ask for failover");
  return report;
}

const ACTIVE_MODE = { [ANNOTATIONS.failoverMode]: "active" };

test.for<[string, Scene, Partial<ServiceReport>]>([
  ["standby while an own endpoint is ready and the target is healthy", {}, { state: "standby" }],
  [
    "active once no own endpoint is ready, though the controller recorded nothing of it",
    { own: false },
    { state: "active", reason: "FailoverActivated" },
  ],
  ["active when there are no own endpoints at all", { own: undefined }, { state: "active" }],
  [
    "unprotected when no target is healthy, with the cause",
    { mirrors: { west: false, north: false } },
    { state: "unprotected", reason: "NoReadyEndpoints" },
  ],
  [
    "closed when no own endpoint is ready either",
    { own: false, links: { west: false, north: false } },
    { state: "closed", reason: "LinkNotReady" },
  ],
  [
    "activating in active mode, while our endpoints rest",
    { annotations: ACTIVE_MODE, own: false, slice: { endpoints: [] } },
    { state: "activating", mode: "active" },
  ],
  [
    "active in active mode, once one of our endpoints is ready",
    { annotations: ACTIVE_MODE, own: false, slice: { endpoints: [READY, READY] } },
    { state: "active" },
  ],
  [
    "returning while one of our endpoints is still ready beside own ones",
    { annotations: ACTIVE_MODE, slice: { endpoints: [READY] } },
    { state: "returning" },
  ],
  [
    "returning in standby mode too, while endpoints of active mode are left",
    { slice: { endpoints: [READY] } },
    { state: "returning", mode: "standby" },
  ],
  [
    "closed while no slice leads to a target that is healthy, and asks for the controller",
    { own: false, slice: undefined },
    { state: "closed", reason: "FailoverPending" },
  ],
  [
    "closed while the slice leads to one that is not healthy and another one is",
    { own: false, mirrors: { west: false, north: true } },
    { state: "closed", reason: "FailoverPending" },
  ],
  [
    "unprotected without a ready egress gateway",
    { slice: { endpoints: [] } },
    { state: "unprotected" },
  ],
  [
    "unprotected while endpoints are at rest as active mode has them, which kube-proxy never uses",
    { slice: { endpoints: [] } },
    { state: "unprotected" },
  ],
  [
    "unprotected by a slice that somebody else wrote in our name",
    { forged: "slice" },
    { state: "unprotected", reason: "FailoverPending" },
  ],
  [
    "unprotected by mirrors that somebody else wrote in our name",
    { forged: "mirrors" },
    { state: "unprotected", reason: "FailoverTargetMissing" },
  ],
  [
    "unsupported for a kind of Service that cannot fail over",
    { spec: { clusterIP: "None" } },
    { state: "unsupported", reason: "FailoverUnsupported", targets: [] },
  ],
])("a Service is %s", ([, scene, expected]) => {
  expect(assess(scene)).toMatchObject(expected);
});

test("says since when only where the recorded state is the one that is seen", () => {
  expect(assess({}).since).toBe(SINCE);
  expect(assess({ slice: { records: "active" } })).not.toHaveProperty("since");
  expect(assess({ own: false, slice: { records: "active" } }).since).toBe(SINCE);
});

test("tells each target's role, health, cause and ports, in the order of preference", () => {
  const targets = [
    {
      target: "west/shop/web",
      link: "west",
      role: "-",
      healthy: false,
      reason: "NoReadyEndpoints",
      message: "",
      ports: [{ name: "http", egressPort: 10_000 }],
    },
    {
      target: "north/shop/web",
      link: "north",
      role: "active",
      healthy: true,
      reason: "MirrorOpen",
      message: "",
      ports: [{ name: "http", egressPort: 10_001 }],
    },
  ];
  const scene = { mirrors: { west: false, north: true }, slice: { to: "north" } };
  expect(assess({ ...scene, own: false })).toMatchObject({
    state: "active",
    target: "north/shop/web",
    targets,
    findings: [],
  });
  expect(assess(scene).targets.map(({ role }) => role)).toEqual(["-", "standby"]);
});

test("lists what is wrong with annotations and targets, with the fix", () => {
  const { state, findings } = assess({
    annotations: {
      [ANNOTATIONS.failover]: "west,wets,north,east",
      [ANNOTATIONS.failoverPorts]: "http=rpc",
    },
    mirrors: { west: true },
  });
  expect(state).toBe("unprotected");
  expect(findings.map(({ reason }) => reason)).toEqual([
    "FailoverInvalid",
    "FailoverPortMismatch",
    "FailoverTargetUnknown",
    "FailoverTargetMissing",
  ]);
  expect(findings[0]?.message).toContain("names east, which is this cluster itself");
});

test("says why a target has no mirror where an Event on its Link does", () => {
  const known = knownIn({ mirrors: {} });
  const message = "this cluster has no namespace shop; create it.";
  const skip = { link: "west", source: "west/shop/web", reason: "NamespaceMissing", message };
  known.learn([{ ...skip, lastSeenAt: SINCE }]);
  const report = assessService(service({}), { ownCluster: "east", slices: [], known });
  const [west, north] = report?.targets ?? [];
  expect(west?.message).toContain(message);
  expect(north?.message).toContain("does not export it");
});

test("tells of slices that lead to what the annotation does not name", () => {
  const annotations = { [ANNOTATIONS.failover]: "north" };
  const report = assess({ annotations, own: false });
  expect(report).toMatchObject({ state: "active", target: "west/shop/web" });
  expect(report.targets).toMatchObject([{ target: "north/shop/web", role: "-" }]);
  expect(report.findings).toMatchObject([{ reason: "FailoverPending" }]);
});

test("has nothing to say of a Service that does not ask", () => {
  const { metadata, ...rest } = service({});
  const silent = { ...rest, metadata: { ...metadata, annotations: {} } };
  const known = knownIn({});
  expect(assessService(silent, { ownCluster: "east", slices: [], known })).toBeUndefined();
});
