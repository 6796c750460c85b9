import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Damper, type Presence, PRESENCES } from "./damper.ts";

const LIMITS = { burst: 3, refillMs: 1000 };

function damperAt(startMs: number) {
  const now = { ms: startMs };
  const clock = { nowMs: () => now.ms, sleep: async () => await Promise.resolve() };
  return { now, damper: new Damper(clock, LIMITS) };
}

const rank = (presence: Presence): number => PRESENCES.indexOf(presence);

test("a source that comes and goes is followed a few times, then once for each refill", () => {
  const { now, damper } = damperAt(0);
  const rises: number[] = [];
  for (let flap = 0; flap < 100; flap += 1) {
    damper.admit("web", "absent");
    if (damper.admit("web", "ready").presence === "ready") rises.push(now.ms);
    now.ms += 100;
  }
  expect(rises).toEqual([0, 100, 200, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000]);
});

test("a source that was calm may come and go again as before", () => {
  const { now, damper } = damperAt(0);
  const flaps = () =>
    Array.from({ length: 5 }, () => {
      damper.admit("web", "idle");
      return damper.admit("web", "ready").presence;
    });
  const before = flaps();
  expect(before).toEqual(["ready", "ready", "ready", "idle", "idle"]);
  now.ms += LIMITS.burst * LIMITS.refillMs;
  expect(flaps()).toEqual(before);
});

test("rest fills no bucket beyond its burst", () => {
  const { now, damper } = damperAt(0);
  damper.admit("web", "idle");
  damper.admit("web", "ready");
  now.ms += LIMITS.burst * LIMITS.refillMs - 1;
  const followed = Array.from({ length: 5 }, () => {
    damper.admit("web", "idle");
    return damper.admit("web", "ready").presence;
  });
  expect(followed.filter((presence) => presence === "ready")).toHaveLength(LIMITS.burst);
});

test("one source's flaps cost another nothing", () => {
  const { damper } = damperAt(0);
  for (let flap = 0; flap < 10; flap += 1) {
    damper.admit("web", "absent");
    damper.admit("web", "ready");
  }
  damper.admit("api", "absent");
  expect(damper.admit("api", "ready")).toEqual({ presence: "ready", pauseMs: 0 });
});

test("whatever a source does, falling is never delayed, rising is bounded in every span of time, and the last state wins", () => {
  const moves = fc.array(
    fc.record({
      afterMs: fc.oneof(
        { weight: 9, arbitrary: fc.nat(50) },
        { weight: 1, arbitrary: fc.nat(4000) },
      ),
      owner: fc.constantFrom("web", "api"),
      presence: fc.constantFrom(...PRESENCES),
    }),
    { minLength: 1, maxLength: 60, size: "max" },
  );
  fc.assert(
    fc.property(moves, fc.nat(10_000), (steps, startMs) => {
      const { now, damper } = damperAt(startMs);
      const followed = new Map<string, Presence>();
      const rises = new Map<string, number[]>([
        ["web", []],
        ["api", []],
      ]);
      const last = new Map<string, Presence>();
      const dueMs = new Map<string, number>();
      const look = (owner: string, presence: Presence): void => {
        const before = followed.get(owner);
        const { presence: admitted, pauseMs } = damper.admit(owner, presence);
        expect(rank(admitted)).toBeLessThanOrEqual(rank(presence));
        const falls = before !== undefined && rank(presence) <= rank(before);
        expect(falls && admitted !== presence, "a fall was delayed").toBe(false);
        expect(admitted === "ready" && pauseMs > 0, "asks for a needless look").toBe(false);
        expect(pauseMs > 0 || admitted === presence, "held back for ever").toBe(true);
        expect(pauseMs).toBeLessThanOrEqual(LIMITS.refillMs);
        if (before !== undefined && rank(admitted) > rank(before)) rises.get(owner)?.push(now.ms);
        followed.set(owner, admitted);
        if (pauseMs > 0) dueMs.set(owner, now.ms + pauseMs);
        else dueMs.delete(owner);
      };
      // As the queue does: another look when the pause is over.
      const lookWhenDue = (untilMs: number): void => {
        for (const [owner, due] of dueMs) {
          if (due > untilMs) continue;
          now.ms = Math.max(now.ms, due);
          look(owner, last.get(owner) ?? "absent");
        }
      };
      for (const { afterMs, owner, presence } of steps) {
        const untilMs = now.ms + afterMs;
        lookWhenDue(untilMs);
        now.ms = untilMs;
        last.set(owner, presence);
        look(owner, presence);
      }
      lookWhenDue(now.ms + LIMITS.refillMs);
      expect(followed).toEqual(last);
      for (const times of rises.values()) {
        for (const [index, fromMs] of times.entries()) {
          for (const [more, untilMs] of times.slice(index).entries()) {
            const refills = Math.floor((untilMs - fromMs) / LIMITS.refillMs);
            expect(more + 1).toBeLessThanOrEqual(LIMITS.burst + 1 + refills);
          }
        }
      }
    }),
  );
});
