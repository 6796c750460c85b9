import { expect, test } from "vitest";
import { ANNOTATIONS, LABELS } from "../../../api/names.ts";
import type { Service } from "../../../api/objects.ts";
import { REASONS } from "../../../api/reasons.ts";
import { mirrorEndpoints, mirrorFromExisting, mirrorSlices } from "./desired.ts";
import type { GatewayPod } from "../../own-cluster/gateway-pods.ts";

const dual: Service = {
  metadata: {
    namespace: "shop",
    name: "web-west",
    uid: "7",
    labels: { [LABELS.managedBy]: "isthmus", [LABELS.link]: "west", team: "a" },
    annotations: { [ANNOTATIONS.source]: "west/shop/web", note: "b" },
  },
  spec: { ipFamilies: ["IPv6", "IPv4"], ports: [{ name: "http", port: 80, targetPort: 12_345 }] },
};
const gateways: GatewayPod[] = ["a", "b"].map((name, index) => ({
  name,
  namespace: "isthmus-system",
  uid: name,
  nodeName: "node",
  addresses: index === 0 ? { IPv4: "10.1.0.5", IPv6: "fd00::5" } : { IPv4: "10.1.0.6" },
}));
const open = { state: "open", reason: REASONS.MirrorOpen, message: "" } as const;

test("each IP family of the Service has a slice with the gateways' addresses of that family", () => {
  const slices = mirrorSlices(dual, open, gateways);
  expect(
    slices.map(({ metadata, addressType, endpoints }) => [
      metadata.name,
      addressType,
      endpoints?.flatMap(({ addresses }) => addresses),
    ]),
  ).toEqual([
    ["web-west-ipv6", "IPv6", ["fd00::5"]],
    ["web-west-ipv4", "IPv4", ["10.1.0.5", "10.1.0.6"]],
  ]);
  expect(slices[0]?.ports).toEqual([{ name: "http", protocol: "TCP", port: 12_345 }]);
  expect(slices[0]?.metadata.labels).not.toHaveProperty("team");
});

test("the Endpoints object has the first family alone", () => {
  const { subsets } = mirrorEndpoints(dual, open, gateways);
  expect(subsets?.[0]?.addresses?.map(({ ip }) => ip)).toEqual(["fd00::5"]);
});

test("a closed mirror has the same endpoints, not ready, serving and terminating", () => {
  const closed = { ...open, state: "closed" } as const;
  const asOpen = mirrorSlices(dual, open, gateways);
  const asClosed = mirrorSlices(dual, closed, gateways);
  expect(asOpen.flatMap(({ endpoints }) => endpoints ?? []).map((it) => it.conditions)).toEqual(
    Array.from({ length: 3 }, () => ({ ready: true, serving: true })),
  );
  const closing = { ready: false, serving: true, terminating: true };
  expect(asClosed).toEqual(
    asOpen.map((slice) => ({
      ...slice,
      endpoints: slice.endpoints?.map((endpoint) => ({ ...endpoint, conditions: closing })),
    })),
  );
  const [subset] = mirrorEndpoints(dual, open, gateways).subsets ?? [];
  expect(mirrorEndpoints(dual, closed, gateways).subsets).toEqual([
    { notReadyAddresses: subset?.addresses, ports: subset?.ports },
  ]);
});

test("a mirror has no endpoints at all when no egress gateway is Ready", () => {
  for (const state of ["open", "closed"] as const) {
    const status = { ...open, state };
    expect(mirrorSlices(dual, status, []).map(({ endpoints }) => endpoints)).toEqual([[], []]);
    expect(mirrorEndpoints(dual, status, []).subsets).toEqual([]);
  }
});

test("a mirror that is held keeps what we set on it, and leaves the rest to whoever set that", () => {
  const owned = { "f:metadata": { "f:labels": { "f:team": {} }, "f:annotations": {} } };
  const managedFields = [{ manager: "isthmus-controller", fieldsV1: owned }];
  const held = mirrorFromExisting(
    { ...dual, metadata: { ...dual.metadata, managedFields } },
    { state: "closed", reason: REASONS.LinkNotReady, message: "m" },
  );
  expect(held.metadata.labels).toEqual({ team: "a" });
  expect(held.metadata.annotations).toEqual({
    [ANNOTATIONS.state]: "closed",
    [ANNOTATIONS.stateReason]: REASONS.LinkNotReady,
    [ANNOTATIONS.stateMessage]: "m",
  });
  expect(held.spec?.ports).toEqual([
    { name: "http", protocol: "TCP", port: 80, targetPort: 12_345 },
  ]);
});
