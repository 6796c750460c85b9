import { expect, it } from "vitest";
import { quantile, summarize } from "./statistics.ts";

it("takes quantiles by nearest rank, whatever the order", () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(summarize(values)).toEqual({ p50: 50, p99: 99, runs: 100 });
  expect(quantile([7], 0.99)).toBe(7);
  expect(quantile([1, 2], 1)).toBe(2);
});

it("does not invent a quantile of nothing", () => {
  expect(() => quantile([], 0.5)).toThrow(RangeError);
});
