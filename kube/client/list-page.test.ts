import * as fc from "fast-check";
import { expect, test } from "vitest";
import { RESOURCES } from "../../api/resources.ts";
import { readPage } from "./list-page.ts";
import { isKubeObject } from "./object-shape.ts";

const { services } = RESOURCES;
const HEAD = { kind: "ServiceList", apiVersion: "v1" };
const ITEM = { metadata: { name: "web", namespace: "shop", resourceVersion: "5" } };

function page(change: object): unknown {
  return { ...HEAD, metadata: { resourceVersion: "7" }, items: [ITEM], ...change };
}

test("a page has its items with their kind, its version, and where it goes on", () => {
  expect(readPage(page({}), services)).toEqual({
    items: [{ apiVersion: "v1", kind: "Service", ...ITEM }],
    resourceVersion: "7",
  });
  const more = { metadata: { resourceVersion: "7", continue: "abc" }, items: [] };
  expect(readPage(page(more), services)).toMatchObject({ items: [], continueToken: "abc" });
});

test.each<[string, object]>([
  ["an object", { kind: "Service" }],
  ["a list of another kind", { kind: "PodList" }],
  ["without items", { items: undefined }],
  ["with null for items", { items: null }],
  ["with an object for items", { items: {} }],
  ["with an item of null", { items: [ITEM, null] }],
  ["with an item that is text", { items: ["web"] }],
  ["with an item without metadata", { items: [{}] }],
  ["with an item without a version", { items: [{ metadata: { name: "web" } }] }],
  ["without metadata", { metadata: undefined }],
  ["without a version", { metadata: {} }],
  ["of any version", { metadata: { resourceVersion: "0" } }],
  ["with a number to go on from", { metadata: { resourceVersion: "7", continue: 5 } }],
  [
    "with a token without end",
    { metadata: { resourceVersion: "7", continue: "x".repeat(10_000) } },
  ],
])("an answer %s is no page", (_what, change) => {
  expect(readPage(page(change), services)).toBeUndefined();
});

test("whatever comes is no page, or one whose items caches can be built on", () => {
  const metadata = fc.record({
    name: fc.jsonValue(),
    resourceVersion: fc.string(),
    labels: fc.jsonValue(),
  });
  const items = fc.oneof(
    fc.jsonValue(),
    fc.array(fc.oneof(fc.record({ metadata }), fc.jsonValue())),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.jsonValue(),
        items.map((some) => page({ items: some })),
      ),
      (answer) => {
        const found = readPage(answer, services);
        expect(found === undefined || found.items.every(isKubeObject)).toBe(true);
      },
    ),
  );
});
