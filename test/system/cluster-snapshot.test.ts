import { expect, test } from "vitest";
import { differences } from "./cluster-snapshot.ts";

test("a snapshot differs from another by what is left, what is gone and what has changed", () => {
  const before = new Map([
    ["pods shop/web", "1"],
    ["secrets shop/key", "2"],
    ["nodes west-1", "3"],
  ]);
  const after = new Map([
    ["pods shop/web", "1"],
    ["secrets shop/key", "two"],
    ["services shop/web", "4"],
  ]);
  expect(differences(before, after)).toEqual([
    "is gone: nodes west-1",
    "has changed: secrets shop/key: 2 → two",
    "is left: services shop/web",
  ]);
  expect(differences(before, before)).toEqual([]);
});
