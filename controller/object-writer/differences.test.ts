import { expect, test } from "vitest";
import type { EndpointSlice, Service } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import { mirrorEndpoints, mirrorSlices } from "../mirror/plan/desired.ts";
import { differs, hasLeftovers } from "./differences.ts";

const desired: Service = {
  metadata: { namespace: "shop", name: "web-west", labels: { a: "1" }, annotations: { b: "2" } },
  spec: {
    type: "ClusterIP",
    sessionAffinity: "None",
    ports: [{ name: "http", protocol: "TCP", port: 80, targetPort: 12_345 }],
  },
};
/** As the API server returns it. */
const stored: Service = {
  metadata: {
    ...desired.metadata,
    uid: "1",
    labels: { a: "1", theirs: "x" },
    managedFields: [
      {
        manager: "isthmus-controller",
        fieldsV1: { "f:metadata": { "f:labels": { "f:a": {} }, "f:annotations": { "f:b": {} } } },
      },
    ],
  },
  spec: { ...desired.spec, clusterIP: "10.0.0.1", ipFamilies: ["IPv4"] },
};
const { services, endpointSlices, endpoints } = RESOURCES;

test("what the API server fills in and what others add is no difference", () => {
  expect(differs(services, desired, stored)).toBe(false);
});

test.for<[string, Partial<Service["spec"]>, boolean]>([
  ["a selector", { selector: { app: "x" } }, true],
  ["a port more", { ports: [...(desired.spec?.ports ?? []), { name: "x", port: 81 }] }, true],
  ["affinity", { sessionAffinity: "ClientIP", sessionAffinityConfig: {} }, true],
  ["another target", { ports: [{ name: "http", port: 80, targetPort: 1 }] }, false],
  ["another type", { type: "NodePort" }, false],
])("%s is a difference, and needs ownership put in order: %s", ([, spec, leftover]) => {
  const actual = { ...stored, spec: { ...stored.spec, ...spec } };
  expect(differs(services, desired, actual)).toBe(true);
  expect(hasLeftovers(services, desired, actual)).toBe(leftover);
});

test("a label of ours that is not wanted any more is a leftover", () => {
  const fewer = { ...desired, metadata: { ...desired.metadata, labels: {} } };
  expect(hasLeftovers(services, fewer, stored)).toBe(true);
});

test("endpoints differ when a gateway does, and not by what is defaulted", () => {
  const gateway = {
    name: "gateway",
    namespace: "isthmus-system",
    uid: "9",
    nodeName: "node",
    addresses: { IPv4: "10.1.0.5" },
  };
  const open = { state: "open", reason: "MirrorOpen", message: "" } as const;
  const [slice] = mirrorSlices(stored, open, [gateway]);
  if (slice === undefined) throw new Error("no slice");
  const returned: EndpointSlice = { ...slice, ports: [{ ...slice.ports?.[0], protocol: "TCP" }] };
  expect(differs(endpointSlices, slice, returned)).toBe(false);
  const [moved] = mirrorSlices(stored, open, [{ ...gateway, addresses: { IPv4: "10.1.0.6" } }]);
  expect(moved && differs(endpointSlices, moved, returned)).toBe(true);
  const [closed] = mirrorSlices(stored, { ...open, state: "closed" }, [gateway]);
  expect(closed && differs(endpointSlices, closed, returned)).toBe(true);
  const object = mirrorEndpoints(stored, open, [gateway]);
  expect(differs(endpoints, object, object)).toBe(false);
  expect(differs(endpoints, mirrorEndpoints(stored, open, []), object)).toBe(true);
  const shut = mirrorEndpoints(stored, { ...open, state: "closed" }, [gateway]);
  expect(differs(endpoints, shut, shut)).toBe(false);
  expect(differs(endpoints, shut, object)).toBe(true);
});
