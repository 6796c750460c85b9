import { expect, test } from "vitest";
import { TokenBucket } from "./token-bucket.ts";

function bucket() {
  const clock = { nowMs: 1_000_000 };
  return { clock, taken: new TokenBucket({ perSecond: 10, burst: 20, nowMs: () => clock.nowMs }) };
}

const take = (from: TokenBucket, times: number) =>
  Array.from({ length: times }, () => from.take()).filter(Boolean).length;

test("a burst is allowed once, then the rate", () => {
  const { clock, taken } = bucket();
  expect(take(taken, 30)).toBe(20);
  clock.nowMs += 500;
  expect(take(taken, 30)).toBe(5);
  clock.nowMs += 3_600_000;
  expect(take(taken, 30)).toBe(20);
});

test("many tokens at once are all or none", () => {
  const { taken } = bucket();
  expect(taken.take(21)).toBe(false);
  expect(taken.take(20)).toBe(true);
  expect(taken.take()).toBe(false);
});

test("a clock that is set back gives nothing and costs nothing", () => {
  const { clock, taken } = bucket();
  expect(take(taken, 20)).toBe(20);
  clock.nowMs -= 3_600_000;
  expect(taken.take()).toBe(false);
  clock.nowMs += 100;
  expect(take(taken, 5)).toBe(1);
});
