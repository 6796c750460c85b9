import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FAULT_NAMES, faultKind } from "./fault-kinds.ts";
import { collide, LANES, planChaos } from "./plan.ts";
import { seededRandom, shuffled } from "./random.ts";

const world = { providers: ["west", "north"], services: ["web-1", "web-2"] };
const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });

describe("the plan of a chaos run", () => {
  it("is the same for the same seed, and another for another", () => {
    expect(planChaos(7, 120_000, world)).toEqual(planChaos(7, 120_000, world));
    expect(planChaos(7, 120_000, world)).not.toEqual(planChaos(8, 120_000, world));
  });

  it("has every kind of fault in each lane before one comes again, within the kind's own bounds", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const lanes = planChaos(seed, 5000, world);
        expect(lanes).toHaveLength(LANES);
        for (const lane of lanes) {
          const first = lane.slice(0, FAULT_NAMES.length).map(({ name }) => name);
          expect(new Set(first).size).toBe(FAULT_NAMES.length);
          for (const fault of lane) {
            const { on, holdMs } = faultKind(fault.name);
            expect(fault.holdMs).toBeGreaterThanOrEqual(holdMs[0]);
            expect(fault.holdMs).toBeLessThanOrEqual(holdMs[1]);
            expect(fault.provider === undefined).toBe(on === "consumer");
            expect(fault.service === undefined).toBe(on !== "service");
          }
        }
      }),
    );
  });

  it("does not end before the run does, however short its faults are", () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 200_000 }), (seed, durationMs) => {
        for (const lane of planChaos(seed, durationMs, world)) {
          const leastMs = lane.reduce((sum, { pauseMs, holdMs }) => sum + pauseMs + holdMs, 0);
          expect(leastMs).toBeGreaterThanOrEqual(durationMs);
        }
      }),
      { numRuns: 20 },
    );
  });

  it("keeps faults of one thing apart, and all of a provider from those that stop its API", () => {
    const ofService = { name: "unexported", provider: "west", service: "web-1" } as const;
    const ofProvider = { name: "blackHole", provider: "west" } as const;
    const ofApi = { name: "apiPaused", provider: "west" } as const;
    const ofConsumer = { name: "egressKilled" } as const;
    expect(collide(ofService, { ...ofService, name: "handEdited" })).toBe(true);
    expect(collide(ofConsumer, { name: "leaderKilled" })).toBe(true);
    expect(collide(ofApi, ofService)).toBe(true);
    expect(collide(ofService, ofApi)).toBe(true);
    expect(collide(ofService, { ...ofService, service: "web-2" })).toBe(false);
    expect(collide(ofService, ofProvider)).toBe(false);
    expect(collide(ofApi, { ...ofService, provider: "north" })).toBe(false);
    expect(collide(ofConsumer, ofProvider)).toBe(false);
  });
});

describe("seeded chance", () => {
  it("stays from 0 up to 1 and spreads over it", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = seededRandom(seed);
        const values = Array.from({ length: 1000 }, random);
        expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
        const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
        expect(Math.abs(mean - 0.5)).toBeLessThan(0.1);
      }),
    );
  });

  it("shuffles without losing or adding anything", () => {
    fc.assert(
      fc.property(seeds, fc.array(fc.integer()), (seed, elements) => {
        const after = shuffled(elements, seededRandom(seed));

        expect(ordered(after)).toEqual(ordered(elements));
      }),
    );
  });
});

function ordered(list: readonly number[]): number[] {
  return list.toSorted((one, other) => one - other);
}
