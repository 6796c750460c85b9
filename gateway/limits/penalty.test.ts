import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Penalty } from "./penalty.ts";

function penalty(maxMs = 30_000) {
  const clock = { nowMs: 1_000_000 };
  return { clock, penalty: new Penalty({ maxMs, nowMs: () => clock.nowMs }) };
}

/** How long it lasts, found by letting time pass, in steps of 100 ms. */
function lastsMs({ clock, penalty: of }: ReturnType<typeof penalty>): number {
  const startMs = clock.nowMs;
  while (of.active) clock.nowMs += 100;
  return clock.nowMs - startMs;
}

test("each offence soon after a penalty doubles it, up to the bound", () => {
  const one = penalty();
  const lasted = Array.from({ length: 7 }, () => {
    one.penalty.offend();
    return lastsMs(one);
  });
  expect(lasted).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
});

test("offences while a penalty lasts add nothing", () => {
  const one = penalty();
  for (let offence = 0; offence < 10; offence += 1) one.penalty.offend();
  expect(lastsMs(one)).toBe(1000);
});

test("who was calm for long enough begins anew", () => {
  const one = penalty();
  one.penalty.offend();
  lastsMs(one);
  one.penalty.offend();
  lastsMs(one);
  one.clock.nowMs += 8000;
  one.penalty.offend();
  expect(lastsMs(one)).toBe(1000);
});

test("nobody is kept out before an offence, or after a clock was set back", () => {
  const one = penalty();
  expect(one.penalty.active).toBe(false);
  one.penalty.offend();
  one.clock.nowMs -= 3_600_000;
  expect(one.penalty.active).toBe(false);
});

test("whatever happens when, no penalty is longer than the bound", () => {
  const steps = fc.array(fc.integer({ min: 0, max: 100_000 }), { maxLength: 50 });
  fc.assert(
    fc.property(steps, fc.integer({ min: 100, max: 60_000 }), (waitsMs, maxMs) => {
      const one = penalty(maxMs);
      for (const waitMs of waitsMs) {
        one.clock.nowMs += waitMs;
        one.penalty.offend();
        const { nowMs } = one.clock;
        expect(lastsMs(one)).toBeLessThanOrEqual(maxMs + 100);
        one.clock.nowMs = nowMs;
      }
    }),
  );
});
