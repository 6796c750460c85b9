import { expect, test } from "vitest";
import type { Clock } from "../../api/clock.ts";
import { FREE_REPAIRS, RepairGuard } from "./repair-guard.ts";

function guardAt(): { guard: RepairGuard; pass: (durationMs: number) => void } {
  let nowMs = 0;
  const clock: Clock = { nowMs: () => nowMs, sleep: async () => {} };
  const pass = (durationMs: number): void => {
    nowMs += durationMs;
  };
  return { guard: new RepairGuard(clock, () => 0.5), pass };
}

test("repairs pause for longer and longer once somebody insists", () => {
  const { guard, pass } = guardAt();
  expect(guard.settled("web", "a", true)).toBe(0);
  const pauses: number[] = [];
  for (let repair = 1; repair <= FREE_REPAIRS + 3; repair += 1) {
    expect(guard.settled("web", "a", true)).toBe(repair);
    pauses.push(guard.pauseMs("web", "a"));
    pass(pauses.at(-1) ?? 0);
    expect(guard.pauseMs("web", "a")).toBe(0);
  }
  expect(pauses.slice(0, FREE_REPAIRS - 1).every((pauseMs) => pauseMs === 0)).toBe(true);
  const growing = pauses.slice(FREE_REPAIRS - 1);
  expect(growing.every((pauseMs, index) => pauseMs > (growing[index - 1] ?? 0))).toBe(true);
});

test("something new is written at once, and ends the count", () => {
  const { guard } = guardAt();
  for (let repair = 0; repair <= FREE_REPAIRS; repair += 1) guard.settled("web", "a", true);
  expect(guard.pauseMs("web", "a")).toBeGreaterThan(0);
  expect(guard.pauseMs("web", "b")).toBe(0);
  expect(guard.settled("web", "b", true)).toBe(0);
  expect(guard.settled("web", "b", true)).toBe(1);
});

test("a reconcile that changed nothing is no repair, and a long calm ends the count", () => {
  const { guard, pass } = guardAt();
  guard.settled("web", "a", true);
  expect(guard.settled("web", "a", false)).toBe(0);
  for (let repair = 1; repair < FREE_REPAIRS; repair += 1) guard.settled("web", "a", true);
  pass(3_600_000);
  expect(guard.settled("web", "a", true)).toBe(1);
});
