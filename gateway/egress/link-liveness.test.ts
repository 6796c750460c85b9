import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SlotView } from "../session/session-pool.ts";
import { UNKNOWN_LIVENESS, decideLiveness } from "./link-liveness.ts";

const live = (answeredPings: number): SlotView => ({ state: "live", answeredPings });
const slot = (state: SlotView["state"]): SlotView => ({ state, answeredPings: 0 });
const UP = { up: true, wasUp: true };
const DOWN = { up: false, wasUp: true };
const threshold = { successThreshold: 3 };

describe("a link", () => {
  test("is closed while nothing is known", () => {
    const slots = [slot("connecting"), slot("waiting"), slot("replacing")];
    expect(decideLiveness(UNKNOWN_LIVENESS, slots, threshold).up).toBe(false);
    expect(decideLiveness(UNKNOWN_LIVENESS, [], threshold).up).toBe(false);
  });

  test("opens for the first time with the first answer", () => {
    expect(decideLiveness(UNKNOWN_LIVENESS, [live(1)], threshold)).toEqual(UP);
  });

  test("opens again only after as many answers of one session as asked for", () => {
    expect(decideLiveness(DOWN, [live(2), live(2)], threshold)).toEqual(DOWN);
    expect(decideLiveness(DOWN, [live(3), slot("waiting")], threshold)).toEqual(UP);
  });

  test("stays open while one session is left, or is being replaced", () => {
    expect(decideLiveness(UP, [live(1), slot("waiting")], threshold)).toEqual(UP);
    expect(decideLiveness(UP, [slot("replacing"), slot("waiting")], threshold)).toEqual(UP);
  });

  test("closes at once when none is left", () => {
    expect(decideLiveness(UP, [slot("connecting"), slot("waiting")], threshold)).toEqual(DOWN);
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
  const history = fc.array(fc.array(view, { maxLength: 4 }), { minLength: 1 });
  const property = fc.property(
    history,
    fc.integer({ min: 1, max: 5 }),
    (steps, successThreshold) => {
      let liveness = UNKNOWN_LIVENESS;
      return steps.every((slots) => {
        liveness = decideLiveness(liveness, slots, { successThreshold });
        return (
          !liveness.up || slots.some(({ state: now }) => now === "live" || now === "replacing")
        );
      });
    },
  );
  expect(fc.check(property).failed).toBe(false);
});
