import { describe, expect, it } from "vitest";
import { FULL_PLAN } from "./gateway.ts";
import type { Values } from "./loads.ts";
import { goalsOf, mediansOf, pairedRatio, ratiosOf } from "./results.ts";

/** The same figure in each round. */
function rounds(figure: string, values: readonly number[]): Values[] {
  return values.map((value) => ({ [figure]: value }));
}

const cpu = (...values: number[]) => rounds("cpuSecondsPerUnit", values);

describe("ratios", () => {
  it("are those of figures of one round, whatever the rounds are like", () => {
    const samples = { connections: { isthmus: cpu(1, 10, 300), haproxy: cpu(4, 50, 1000) } };
    const ratio = pairedRatio(samples, {
      id: "connections",
      figure: "cpuSecondsPerUnit",
      way: "isthmus",
      to: "haproxy",
    });
    expect(ratio).toBe(0.25);
    expect(ratiosOf(samples).ratios.cpuPerNewConnection).toBe(0.25);
  });

  it("take for bulk the worst kind, and bytes per CPU-second, not the other way round", () => {
    const samples = {
      "bulk-1-up": { isthmus: cpu(2), haproxy: cpu(2) },
      "bulk-4-down": { isthmus: cpu(4), haproxy: cpu(2) },
    };
    expect(ratiosOf(samples).ratios.bulkBytesPerCpuSecond).toBe(0.5);
  });

  it("are missing for what was not measured", () => {
    expect(ratiosOf({}).ratios.cpuPerRequest).toBeUndefined();
    expect(goalsOf({ plan: FULL_PLAN, samples: {}, idle: [] })).toEqual([]);
  });
});

it("takes the median of each figure over the rounds", () => {
  const isthmus = rounds("p50Ms", [3, 1, 2]);
  expect(mediansOf({ noisy: { isthmus } })).toEqual({ noisy: { isthmus: { p50Ms: 2 } } });
});

it("says which goals are met", () => {
  const samples = {
    connections: { isthmus: cpu(0.25), haproxy: cpu(1) },
    roundtrips: {
      isthmus: rounds("perSecond", [34]),
      direct: rounds("perSecond", [100]),
    },
    fairness: { isthmus: rounds("p99Ratio", [5.1]) },
  };
  const goals = goalsOf({ plan: FULL_PLAN, samples, idle: [] });
  expect(goals.map(({ value, met }) => [value, met])).toEqual([
    [0.25, true],
    [0.34, false],
    [5.1, false],
  ]);
});
