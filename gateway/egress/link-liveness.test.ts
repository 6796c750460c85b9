import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SlotView } from "../session/session-pool.ts";
import {
  FLAP_WINDOW_MS,
  type Liveness,
  UNKNOWN_LIVENESS,
  decideLiveness,
} from "./link-liveness.ts";

const live = (answeredPings: number): SlotView => ({ state: "live", answeredPings });
const slot = (state: SlotView["state"]): SlotView => ({ state, answeredPings: 0 });
const UP: Liveness = { ...UNKNOWN_LIVENESS, up: true, wasUp: true };
const DOWN: Liveness = { ...UP, up: false };
const options = { successThreshold: 3, nowMs: 0 };

describe("a link", () => {
  test("is closed while nothing is known", () => {
    const slots = [slot("connecting"), slot("waiting"), slot("replacing")];
    expect(decideLiveness(UNKNOWN_LIVENESS, slots, options).up).toBe(false);
    expect(decideLiveness(UNKNOWN_LIVENESS, [], options).up).toBe(false);
  });

  test("opens for the first time with the first answer", () => {
    expect(decideLiveness(UNKNOWN_LIVENESS, [live(1)], options)).toEqual(UP);
  });

  test("opens again only after as many answers of one session as asked for", () => {
    expect(decideLiveness(DOWN, [live(2), live(2)], options)).toEqual(DOWN);
    expect(decideLiveness(DOWN, [live(3), slot("waiting")], options).up).toBe(true);
  });

  test("stays open while one session is left, or is being replaced", () => {
    expect(decideLiveness(UP, [live(1), slot("waiting")], options)).toEqual(UP);
    expect(decideLiveness(UP, [slot("replacing"), slot("waiting")], options)).toEqual(UP);
  });

  test("closes at once when none is left", () => {
    expect(decideLiveness(UP, [slot("connecting"), slot("waiting")], options)).toEqual(DOWN);
  });

  test("needs twice the answers after each fall soon after it opened again, until it has been calm", () => {
    let liveness = DOWN;
    let nowMs = 0;
    const needed = () => {
      for (let answers = 1; ; answers += 1) {
        const next = decideLiveness(liveness, [live(answers)], { successThreshold: 2, nowMs });
        if (!next.up) continue;
        liveness = next;
        return answers;
      }
    };
    const fallAfter = (ms: number) => {
      nowMs += ms;
      liveness = decideLiveness(liveness, [], { successThreshold: 2, nowMs });
    };
    const quick = [1, 2, 3, 4, 5, 6].map(() => {
      const answers = needed();
      fallAfter(FLAP_WINDOW_MS - 1);
      return answers;
    });
    expect(quick).toEqual([2, 4, 8, 16, 32, 32]);
    needed();
    fallAfter(FLAP_WINDOW_MS);
    expect(needed()).toBe(2);
  });
});

test("whatever happened before, a link without a session to use is closed", () => {
  const state = fc.constantFrom<SlotView["state"]>("live", "replacing", "connecting", "waiting");
  const view = state.chain((known) =>
    fc.record({
      state: fc.constant(known),
      answeredPings: known === "live" ? fc.integer({ min: 1, max: 5 }) : fc.constant(0),
    }),
  );
  const step = fc.record({
    slots: fc.array(view, { maxLength: 4 }),
    afterMs: fc.integer({ min: 0, max: 20_000 }),
  });
  const property = fc.property(
    fc.array(step, { minLength: 1 }),
    fc.integer({ min: 1, max: 5 }),
    (steps, successThreshold) => {
      let liveness = UNKNOWN_LIVENESS;
      let nowMs = 0;
      return steps.every(({ slots, afterMs }) => {
        nowMs += afterMs;
        liveness = decideLiveness(liveness, slots, { successThreshold, nowMs });
        return (
          !liveness.up || slots.some(({ state: now }) => now === "live" || now === "replacing")
        );
      });
    },
  );
  expect(fc.check(property).failed).toBe(false);
});

describe("however a remote dies and returns", () => {
  const PERIOD_MS = 1000;
  const TICK_MS = 100;

  /** When a link of two sessions opened and closed, if these are up or down by turns for so long. */
  function play(turnsMs: readonly number[][], successThreshold: number) {
    const changes: { up: boolean; atMs: number }[] = [];
    const endMs = Math.max(...turnsMs.map((turns) => turns.reduce((sum, turn) => sum + turn, 0)));
    let liveness = UNKNOWN_LIVENESS;
    for (let nowMs = 0; nowMs <= endMs; nowMs += TICK_MS) {
      const slots = turnsMs.map((turns) => slotAt(turns, nowMs));
      const before = liveness.up;
      liveness = decideLiveness(liveness, slots, { successThreshold, nowMs });
      if (liveness.up !== before) changes.push({ up: liveness.up, atMs: nowMs });
    }
    return changes;
  }

  /** PINGs are answered at once, one each period. */
  function slotAt(turnsMs: readonly number[], nowMs: number): SlotView {
    let sinceMs = 0;
    for (const [index, turnMs] of turnsMs.entries()) {
      if (nowMs < sinceMs + turnMs) {
        const answers = 1 + Math.floor((nowMs - sinceMs) / PERIOD_MS);
        return index % 2 === 0 ? live(answers) : slot("waiting");
      }
      sinceMs += turnMs;
    }
    return slot("waiting");
  }

  const shortTurn = fc.integer({ min: 1, max: 25 }).map((count) => count * TICK_MS);
  const longTurn = fc.integer({ min: 1, max: 20_000 });
  const turns = fc.array(fc.oneof(shortTurn, longTurn), { minLength: 1, maxLength: 40 });
  const shortTurns = fc.array(shortTurn, { minLength: 20, maxLength: 80 });

  test("its link stays closed for as many periods as were asked for, and twice as long after each quick fall", () => {
    expect(() =>
      fc.assert(
        fc.property(
          fc.array(turns, { minLength: 1, maxLength: 2 }),
          fc.integer({ min: 1, max: 5 }),
          (turnsMs, successThreshold) => {
            const changes = play(turnsMs, successThreshold);
            let quickFalls = 0;
            return changes.every(({ up, atMs }, index) => {
              const lastedMs = atMs - (changes[index - 1]?.atMs ?? 0);
              if (!up) {
                const quick = index > 1 && lastedMs < FLAP_WINDOW_MS;
                quickFalls = quick ? Math.min(quickFalls + 1, 4) : 0;
                return true;
              }
              const answers = successThreshold * 2 ** quickFalls;
              return index === 0 || lastedMs >= (answers - 1) * PERIOD_MS - TICK_MS;
            });
          },
        ),
      ),
    ).not.toThrow();
  });

  test("by default its link opens at most three times within 10 s", () => {
    expect(() =>
      fc.assert(
        fc.property(fc.oneof(shortTurns, turns), (turnsMs) => {
          const openings = play([turnsMs], 2).filter(({ up }) => up);
          return openings.every(({ atMs }, index) => {
            const fourth = openings[index + 3];
            return fourth === undefined || fourth.atMs - atMs > 10_000;
          });
        }),
      ),
    ).not.toThrow();
  });
});
