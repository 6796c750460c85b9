import { describe, expect, it } from "vitest";
import type { EndpointSlice } from "../api/objects.ts";
import { EndpointIndex, type SliceSummary, summariseSlice } from "./endpoint-index.ts";

function slice(change: Partial<EndpointSlice> = {}, labels: Record<string, string> = {}) {
  const made: EndpointSlice = {
    metadata: {
      namespace: "shop",
      name: "web-1",
      labels: { "kubernetes.io/service-name": "web", ...labels },
      managedFields: [{ manager: "x" }],
    },
    endpoints: [{ addresses: ["10.0.0.1"] }],
    ...change,
  };
  return made;
}

describe("what is kept of an EndpointSlice", () => {
  it.each([
    { name: "no condition means ready", endpoints: [{ addresses: ["10.0.0.1"] }], ready: true },
    {
      name: "ready",
      endpoints: [{ addresses: ["10.0.0.1"], conditions: { ready: true } }],
      ready: true,
    },
    {
      name: "serving while terminating is not ready, and usable",
      endpoints: [
        {
          addresses: ["10.0.0.1"],
          conditions: { ready: false, serving: true, terminating: true },
        },
      ],
      ready: false,
      usable: true,
    },
    {
      name: "terminating and no more serving is neither",
      endpoints: [
        {
          addresses: ["10.0.0.1"],
          conditions: { ready: false, serving: false, terminating: true },
        },
      ],
      ready: false,
    },
    { name: "null endpoints", endpoints: null, ready: false },
  ])("is whether one is ready: $name", ({ endpoints, ready, usable = ready }) => {
    expect(summariseSlice(slice({ endpoints }))).toEqual({
      metadata: { namespace: "shop", name: "web-1" },
      serviceKey: "shop/web",
      ready,
      usable,
    });
  });

  it.each([
    { "endpointslice.kubernetes.io/managed-by": "controller.isthmus.dev" },
    { "app.kubernetes.io/managed-by": "isthmus" },
    { "kubernetes.io/service-name": "" },
  ])("is nothing where Isthmus made it or it belongs to no Service: %o", (labels) => {
    expect(summariseSlice(slice({}, labels))).toBeUndefined();
  });
});

function summary(name: string, ready: boolean): SliceSummary {
  return { metadata: { namespace: "shop", name }, serviceKey: "shop/web", ready, usable: ready };
}

describe("the index of ready endpoints", () => {
  it("names a Service only when its answer changes", () => {
    const index = new EndpointIndex();
    const apply = (name: string, ready: boolean, previous?: boolean) =>
      index.apply({
        type: "apply",
        key: `shop/${name}`,
        object: summary(name, ready),
        previous: previous === undefined ? undefined : summary(name, previous),
      });
    expect(apply("a", true)).toEqual(["shop/web"]);
    expect(apply("b", true)).toEqual([]);
    expect(apply("a", false, true)).toEqual([]);
    expect(index.has("shop/web")).toBe(true);
    expect(index.apply({ type: "delete", key: "shop/b", previous: summary("b", true) })).toEqual([
      "shop/web",
    ]);
    expect(index.has("shop/web")).toBe(false);
  });
});
