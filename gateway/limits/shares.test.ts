import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Shares } from "./shares.ts";

const takeAll = (shares: Shares, holder: string, perHolder = 1000) => {
  let count = 0;
  while (shares.take(holder, perHolder) === undefined) count += 1;
  return count;
};

test("a holder has so many places, and gets them back", () => {
  const shares = new Shares({ max: 100, holders: () => 1 });
  expect(takeAll(shares, "east", 3)).toBe(3);
  expect(shares.take("east", 3)).toBe("perHolder");
  shares.give("east");
  expect(shares.take("east", 3)).toBeUndefined();
});

test("one holder alone may have all places but those kept for others", () => {
  const shares = new Shares({ max: 100, holders: () => 5 });
  expect(takeAll(shares, "east")).toBe(80);
  expect(shares.take("east", 1000)).toBe("inAll");
  expect(takeAll(shares, "north")).toBe(5);
});

test("when nobody else may come, one holder has all", () => {
  expect(takeAll(new Shares({ max: 100, holders: () => 1 }), "east")).toBe(100);
});

test("there are never more than all, and a holder with nothing gets a place while any is left", () => {
  const holders = ["a", "b", "c", "d"];
  const steps = fc.array(fc.tuple(fc.constantFrom(...holders), fc.boolean()), { maxLength: 300 });
  const result = fc.check(
    fc.property(steps, fc.integer({ min: 1, max: 40 }), (all, max) => {
      const shares = new Shares({ max, holders: () => holders.length });
      const held = new Map<string, number>();
      for (const [holder, takes] of all) {
        const own = held.get(holder) ?? 0;
        if (!takes && own > 0) {
          shares.give(holder);
          held.set(holder, own - 1);
        } else if (takes) {
          const sum = [...held.values()].reduce((one, other) => one + other, 0);
          const refusal = shares.take(holder, 1000);
          if (refusal === undefined) held.set(holder, own + 1);
          if (refusal !== undefined && own === 0 && sum < max) return false;
        }
      }
      return [...held.values()].reduce((one, other) => one + other, 0) <= max;
    }),
  );
  expect(result.counterexample).toBeNull();
});
