import * as fc from "fast-check";
import { expect, it } from "vitest";
import { holdMs, NO_OPENINGS, type Openings, recordOpening } from "./reopening.ts";

/** A link that opens whenever it may and stays open for each of these times. */
function openingTimes(openForMs: readonly number[]): number[] {
  let openings: Openings = NO_OPENINGS;
  let nowMs = 0;
  return openForMs.map((durationMs) => {
    nowMs = Math.max(nowMs + 1, openings.heldUntilMs ?? 0);
    openings = recordOpening(openings, true, nowMs);
    const openedAtMs = nowMs;
    nowMs += durationMs;
    openings = recordOpening(openings, false, nowMs);
    return openedAtMs;
  });
}

it("a link that falls at once each time is held closed ever longer, up to 16 s", () => {
  const [first = 0, ...later] = openingTimes([1, 1, 1, 1, 1, 1, 1]);
  expect(later.map((timeMs) => Math.round((timeMs - first) / 1000))).toEqual([1, 3, 7, 15, 31, 47]);
});

it("a link that fell after a calm time may open at once", () => {
  const fallen = recordOpening(recordOpening(NO_OPENINGS, true, 0), false, 20_000);
  expect(fallen.heldUntilMs).toBe(20_000);
  expect(holdMs(fallen.quickFalls)).toBe(0);
});

it("a calm time makes the quick falls before it count for nothing", () => {
  const [, , , , fourth = 0, fifth = 0, sixth = 0] = openingTimes([1, 1, 1, 1, 60_000, 1, 1]);
  expect(fifth - fourth).toBe(60_001);
  expect(sixth - fifth).toBe(1_001);
});

it("a link opens at most twelve times in any minute, whatever happens to it", () => {
  const durations = fc.array(fc.integer({ min: 0, max: 30_000 }), { maxLength: 60 });
  const edges = fc.array(fc.constantFrom(0, 1, 9_999, 10_000, 10_001), { maxLength: 60 });
  fc.assert(
    fc.property(fc.oneof(durations, edges), (openForMs) => {
      const times = openingTimes(openForMs);
      const busiest = times.map(
        (startMs) =>
          times.filter((timeMs) => timeMs >= startMs && timeMs < startMs + 60_000).length,
      );
      expect(Math.max(0, ...busiest)).toBeLessThanOrEqual(12);
    }),
    { numRuns: 2000 },
  );
});
