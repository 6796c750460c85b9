import { expect, test } from "vitest";
import type { LabelSelector } from "../../../api/link.ts";
import { matchesSelector } from "./selector.ts";

const labels = { tier: "web", team: "shop" };

test.for<[string, LabelSelector | undefined, boolean]>([
  ["none", undefined, true],
  ["empty", {}, true],
  ["a label that fits", { matchLabels: { tier: "web" } }, true],
  ["one of two that does not", { matchLabels: { tier: "web", team: "x" } }, false],
  ["In", { matchExpressions: [{ key: "tier", operator: "In", values: ["db", "web"] }] }, true],
  ["In without it", { matchExpressions: [{ key: "zone", operator: "In", values: ["a"] }] }, false],
  ["In of nothing", { matchExpressions: [{ key: "tier", operator: "In" }] }, false],
  ["NotIn", { matchExpressions: [{ key: "tier", operator: "NotIn", values: ["web"] }] }, false],
  ["NotIn, absent", { matchExpressions: [{ key: "x", operator: "NotIn", values: ["a"] }] }, true],
  ["NotIn of nothing", { matchExpressions: [{ key: "tier", operator: "NotIn" }] }, false],
  ["Exists", { matchExpressions: [{ key: "team", operator: "Exists" }] }, true],
  ["DoesNotExist", { matchExpressions: [{ key: "team", operator: "DoesNotExist" }] }, false],
])("selector: %s", ([, selector, matches]) => {
  expect(matchesSelector(selector, labels)).toBe(matches);
});
