import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decideExport } from "../../../api/export.ts";
import { linkSpecSchema, type LinkSpec } from "../../../api/link.ts";
import {
  ANNOTATIONS,
  CONTROLLER_FIELD_MANAGER,
  gatewayIdentity,
  LABELS,
  MANAGED_BY,
} from "../../../api/names.ts";
import type { Namespace, Service } from "../../../api/objects.ts";
import { REASONS } from "../../../api/reasons.ts";
import type { LinkView } from "../../link/link-view.ts";
import type { GatewayPod } from "../gateway-pods.ts";
import { mirrorNameOf } from "./names.ts";
import { type DesiredMirror, type MirrorState, type Plan, planMirror } from "./plan.ts";
import type { Candidate } from "./policies.ts";

const GATEWAY: GatewayPod = {
  name: "gateway",
  namespace: "isthmus-system",
  uid: "1",
  nodeName: undefined,
  addresses: { IPv4: "10.1.0.5" },
};
const SHOP: Namespace = { metadata: { name: "shop" }, status: { phase: "Active" } };

interface Given {
  view?: Partial<LinkView>;
  spec?: Partial<LinkSpec>;
  source?: Service;
  candidate?: Partial<Candidate>;
  state?: Partial<MirrorState>;
}

function viewOf(given: Given): LinkView {
  return {
    name: "west",
    clusterName: "west",
    metadata: { name: "west" },
    spec: linkSpecSchema.parse({
      credentialsSecretRef: { name: "west" },
      gateway: { identity: gatewayIdentity("west") },
      trustBundle: "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----",
      ...given.spec,
    }),
    open: true,
    reason: REASONS.LinkReady,
    message: "",
    remote: {
      services: { get: () => undefined, list: () => [], keys: () => [], size: 0 },
      hasReadyEndpoint: () => true,
    },
    deleting: false,
    ...given.view,
  };
}

function service(name: string, metadata: Partial<Service["metadata"]> = {}): Service {
  return {
    metadata: {
      namespace: "shop",
      name,
      annotations: { [ANNOTATIONS.export]: "true" },
      ...metadata,
    },
    spec: { ports: [{ name: "http", port: 80 }] },
  };
}

function stateOf(given: Given): MirrorState {
  const view = viewOf(given);
  const source = given.source ?? service("web");
  const candidate: Candidate = {
    view,
    shadowed: false,
    ownClusterName: "east",
    source,
    decision: decideExport(source),
    mirrorKey: `shop/${mirrorNameOf(view, source.metadata.name)}`,
    occupant: undefined,
    rival: undefined,
    namespace: SHOP,
    ...given.candidate,
  };
  return {
    linkExists: true,
    view,
    mirrors: [],
    candidate,
    sourceReady: true,
    egressPorts: [12_345],
    gateways: [GATEWAY],
    ...given.state,
  };
}

function mirrorOf(annotations: Record<string, string> = {}): Service {
  const labels = { [LABELS.managedBy]: MANAGED_BY, [LABELS.link]: "west" };
  return {
    metadata: {
      namespace: "shop",
      name: "web-west",
      uid: "1",
      labels,
      annotations,
      managedFields: [{ manager: CONTROLLER_FIELD_MANAGER }],
    },
    spec: { ipFamilies: ["IPv4"], ports: [{ name: "http", port: 80, targetPort: 12_345 }] },
  };
}

/** `present open`, `absent NameTaken`, …: what the plan amounts to. */
function told(plan: Plan): string {
  if (plan.kind === "present") return toldOf(plan.mirror);
  if (plan.kind === "hold") return `hold ${plan.mirrors.map(toldOf).join()}`;
  return "skip" in plan && plan.skip ? `${plan.kind} ${plan.skip.reason}` : plan.kind;
}

function toldOf({ status }: DesiredMirror): string {
  return `${status.state} ${status.reason}`;
}

const { state: STATE, stateReason: REASON } = ANNOTATIONS;
const isolated = { metadata: { name: "shop", deletionTimestamp: "now" } };
const exportedTo = (annotations: Record<string, string>) =>
  service("web", { annotations: { [ANNOTATIONS.export]: "true", ...annotations } });

describe("the plan for a source", () => {
  test.for<[string, Given, string]>([
    ["all is well", {}, "open MirrorOpen"],
    ["the link is not Ready", { view: { open: false } }, "closed LinkNotReady"],
    ["no endpoint is ready", { state: { sourceReady: false } }, "closed NoReadyEndpoints"],
    ["no gateway is Ready", { state: { gateways: [] } }, "closed NoReadyEgressGateway"],
    [
      "no gateway has the mirror's IP family",
      {
        candidate: { occupant: { ...mirrorOf(), spec: { ipFamilies: ["IPv6"] } } },
      },
      "closed NoReadyEgressGateway",
    ],
    ["the Link is gone", { state: { view: undefined, linkExists: false } }, "absent"],
    ["the Link has no view yet", { state: { view: undefined } }, "wait"],
    ["the Link is being deleted", { view: { deleting: true } }, "absent"],
    ["the source is gone", { state: { candidate: undefined } }, "absent"],
    ["another Link has the cluster", { candidate: { shadowed: true } }, "absent"],
    ["it is not exported", { source: service("web", { annotations: {} }) }, "absent"],
    ["it is for others", { source: exportedTo({ [ANNOTATIONS.exportTo]: "north" }) }, "absent"],
    [
      "its consumers cannot be read",
      { source: exportedTo({ [ANNOTATIONS.exportTo]: "No!" }) },
      "absent ExportInvalid",
    ],
    [
      "it is headless",
      { source: { ...service("web"), spec: { clusterIP: "None" } } },
      "absent HeadlessUnsupported",
    ],
    [
      "it is an ExternalName",
      { source: { ...service("web"), spec: { type: "ExternalName" } } },
      "absent ExternalNameUnsupported",
    ],
    ["it is not selected", { spec: { serviceSelector: { matchLabels: { a: "b" } } } }, "absent"],
    [
      "its namespace is not selected",
      { spec: { namespaceSelector: { matchLabels: { a: "b" } } } },
      "absent",
    ],
    ["its name is too long", { source: service("w".repeat(60)) }, "absent NameInvalid"],
    ["the name would begin with a digit", { source: service("1web") }, "absent NameInvalid"],
    [
      "the namespace is missing",
      { candidate: { namespace: undefined } },
      "absent NamespaceMissing",
    ],
    [
      "the namespace is missing and may be made",
      {
        candidate: { namespace: undefined },
        spec: { mirror: { nameTemplate: "{service}-{cluster}", createNamespaces: true } },
      },
      "open MirrorOpen",
    ],
    [
      "the namespace is going",
      { candidate: { namespace: isolated } },
      "blocked NamespaceTerminating",
    ],
    [
      "the name is taken",
      { candidate: { occupant: { metadata: { namespace: "shop", name: "web-west" } } } },
      "absent NameTaken",
    ],
    [
      "the mirror lost its labels",
      {
        candidate: {
          occupant: {
            metadata: {
              namespace: "shop",
              name: "web-west",
              managedFields: [{ manager: CONTROLLER_FIELD_MANAGER }],
            },
          },
        },
      },
      "absent OwnershipLost",
    ],
    [
      "another source has the name",
      { candidate: { rival: { link: "north", sourceKey: "shop/web", createdAt: "" } } },
      "absent NameCollision",
    ],
    ["no egress port is left", { state: { egressPorts: undefined } }, "blocked PortsExhausted"],
    [
      "no egress port is left for one more, and the link is down",
      {
        state: { egressPorts: undefined },
        candidate: { occupant: mirrorOf() },
        view: { open: false },
      },
      "closed LinkNotReady",
    ],
  ])("when %s", ([, given, expected]) => {
    expect(told(planMirror(stateOf(given)))).toBe(expected);
  });

  test.for<[string, Given, string]>([
    [
      "an open mirror stays open",
      { state: { mirrors: [mirrorOf({ [STATE]: "open" })] } },
      "hold open MirrorOpen",
    ],
    [
      "an open mirror closes without a gateway",
      { state: { mirrors: [mirrorOf({ [STATE]: "open" })], gateways: [] } },
      "hold closed NoReadyEgressGateway",
    ],
    [
      "one closed for want of a gateway opens with it",
      { state: { mirrors: [mirrorOf({ [REASON]: REASONS.NoReadyEgressGateway })] } },
      "hold open MirrorOpen",
    ],
    [
      "one closed for want of endpoints stays closed",
      { state: { mirrors: [mirrorOf({ [STATE]: "closed", [REASON]: "NoReadyEndpoints" })] } },
      "hold closed NoReadyEndpoints",
    ],
    [
      "one closed with its link stays closed",
      { state: { mirrors: [mirrorOf({ [STATE]: "closed", [REASON]: "LinkNotReady" })] } },
      "hold closed LinkNotReady",
    ],
    [
      "every mirror closes with the link",
      { state: { mirrors: [mirrorOf({ [STATE]: "open" })] }, view: { open: false } },
      "hold closed LinkNotReady",
    ],
    ["nothing is made", {}, "hold "],
  ])("while the provider is unknown: %s", ([, given, expected]) => {
    const view = { ...given.view, remote: undefined };
    const state = { ...given.state, candidate: undefined };
    expect(told(planMirror(stateOf({ ...given, view, state })))).toBe(expected);
  });
});

test("a mirror is never open while its link, its source or every gateway is not", () => {
  const states = fc.record({
    open: fc.boolean(),
    known: fc.boolean(),
    deleting: fc.boolean(),
    sourceReady: fc.boolean(),
    gateways: fc.constantFrom([], [GATEWAY]),
    occupant: fc.constantFrom(undefined, mirrorOf(), mirrorOf({ [STATE]: "open" })),
    egressPorts: fc.constantFrom(undefined, [12_345]),
    wasOpen: fc.boolean(),
  });
  fc.assert(
    fc.property(states, ({ open, known, deleting, occupant, wasOpen, ...inputs }) => {
      const given = stateOf({
        view: { open, deleting, ...(known ? {} : { remote: undefined }) },
        candidate: { occupant },
        state: {
          ...inputs,
          mirrors: [mirrorOf({ [STATE]: wasOpen ? "open" : "closed" })],
          ...(known ? {} : { candidate: undefined }),
        },
      });
      const plan = planMirror(given);
      const opened =
        (plan.kind === "present" && plan.mirror.status.state === "open") ||
        (plan.kind === "hold" && plan.mirrors.some(({ status }) => status.state === "open"));
      const mayOpen =
        open && !deleting && inputs.gateways.length > 0 && (known ? inputs.sourceReady : wasOpen);
      expect(opened && !mayOpen).toBe(false);
    }),
  );
});
