import { expect, test } from "vitest";
import { JoinTries } from "./join-tries.ts";

/** How many of so many tries of an address are allowed. */
function allowed(tries: JoinTries, address: string, count: number): number {
  return Array.from({ length: count }, () => tries.take(address)).filter(Boolean).length;
}

test("an address that tries all the time leaves the others their tries", () => {
  const clock = { nowMs: 0 };
  const tries = new JoinTries(() => clock.nowMs);
  expect(allowed(tries, "192.0.2.1", 1000)).toBe(10);
  expect(allowed(tries, "192.0.2.2", 5)).toBe(5);
  clock.nowMs += 1000;
  expect(allowed(tries, "192.0.2.1", 1000)).toBe(2);
});

test("all addresses together try no oftener than 20 times a second", () => {
  const clock = { nowMs: 0 };
  const tries = new JoinTries(() => clock.nowMs);
  const flood = () =>
    Array.from({ length: 5000 }, (_, index) => tries.take(`2001:db8::${index}`)).filter(Boolean);
  expect(flood()).toHaveLength(40);
  clock.nowMs += 1000;
  expect(flood()).toHaveLength(20);
});
