import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ANNOTATIONS, CONTROLLER_FIELD_MANAGER } from "../../../api/names.ts";
import { REASONS } from "../../../api/reasons.ts";
import { PRESENCES } from "../damper.ts";
import { planMirror } from "./plan.ts";
import { GATEWAY, type Given, mirrorOf, service, stateOf, told } from "./state-fixtures.ts";

const { state: STATE, stateReason: REASON } = ANNOTATIONS;
const isolated = { metadata: { name: "shop", deletionTimestamp: "now" } };
const exportedTo = (annotations: Record<string, string>) =>
  service("web", { annotations: { [ANNOTATIONS.export]: "true", ...annotations } });

describe("the plan for a source", () => {
  test.for<[string, Given, string]>([
    ["all is well", {}, "open MirrorOpen"],
    ["the link is not Ready", { view: { open: false } }, "closed LinkNotReady"],
    ["no endpoint is ready", { state: { sourceReady: false } }, "closed NoReadyEndpoints"],
    [
      "its endpoints come and go",
      { state: { damping: { admitted: "idle", flapping: true } } },
      "closed SourceFlapping",
    ],
    [
      "its endpoints come and go, and are gone",
      { state: { sourceReady: false, damping: { admitted: "idle", flapping: true } } },
      "closed SourceFlapping",
    ],
    [
      "it comes and goes",
      { state: { damping: { admitted: "absent", flapping: true } } },
      "absent SourceFlapping",
    ],
    [
      "it comes and goes, and the link is down",
      { state: { damping: { admitted: "idle", flapping: true } }, view: { open: false } },
      "closed LinkNotReady",
    ],
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
    [
      "the namespace is listed and cannot be read here",
      { candidate: { namespace: undefined, restricted: true } },
      "blocked NamespaceForbidden",
    ],
    [
      "the namespace is listed and cannot be read here, and may be made",
      {
        candidate: { namespace: undefined, restricted: true },
        spec: { mirror: { nameTemplate: "{service}-{cluster}", createNamespaces: true } },
      },
      "blocked NamespaceForbidden",
    ],
    [
      "it is for others, and what is in the namespace cannot be read",
      {
        source: exportedTo({ [ANNOTATIONS.exportTo]: "north" }),
        candidate: { namespace: undefined, restricted: true },
        state: { mirrors: [mirrorOf()] },
      },
      "wait",
    ],
    ["the namespace is not listed", { state: { outside: true } }, "absent"],
    [
      "the namespace is not listed, and the provider is not known",
      { state: { outside: true, mirrors: [mirrorOf()] }, view: { remote: undefined } },
      "absent",
    ],
    [
      "the provider denies the namespace",
      {
        state: {
          unread: "denied",
          candidate: undefined,
          mirrors: [mirrorOf({ [STATE]: "open" })],
        },
      },
      "hold closed SourceNamespaceDenied",
    ],
    [
      "the provider denies the namespace, and the link is down",
      {
        state: { unread: "denied", mirrors: [mirrorOf({ [STATE]: "open" })] },
        view: { open: false },
      },
      "hold closed LinkNotReady",
    ],
    [
      "the namespace is still being listed at the provider",
      {
        state: {
          unread: "pending",
          candidate: undefined,
          mirrors: [mirrorOf({ [STATE]: "open" })],
        },
      },
      "hold open MirrorOpen",
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
    damping: fc.record({ admitted: fc.constantFrom(...PRESENCES), flapping: fc.boolean() }),
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
        open &&
        !deleting &&
        inputs.gateways.length > 0 &&
        (known ? inputs.sourceReady && inputs.damping.admitted === "ready" : wasOpen);
      expect(opened && !mayOpen).toBe(false);
    }),
  );
});
