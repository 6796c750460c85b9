import { describe, expect, test } from "vitest";
import { drawFailovers } from "./figure.ts";
import type { Run } from "./judgement.ts";
import type { Kind, Mode } from "./kinds.ts";
import { failoverRecord, failoverReport, goalsOf } from "./report.ts";

const MACHINE = {
  date: "2026-01-01",
  cpu: "some",
  cores: 2,
  memoryGib: 4,
  kernel: "6",
  node: "v24",
};
const PLAN = { runs: 2 };

function runOf(mode: Mode, kind: Kind, values: Partial<Run> = {}): Run {
  return {
    mode,
    kind,
    requests: 100,
    failedRequests: 0,
    gapMs: 10,
    detectionMs: 100,
    afterReadinessMs: 20,
    failedAfterReadiness: 0,
    returnFailedRequests: 0,
    returnGapMs: 8,
    failures: {},
    ...values,
  };
}

const RUNS: readonly Run[] = [
  runOf("standby", "graceful"),
  runOf("standby", "crash", { failedRequests: 50, gapMs: 1000 }),
  runOf("standby", "crash", { failedRequests: 150, gapMs: 1200, afterReadinessMs: 900 }),
  runOf("active", "graceful", { failedRequests: 3, gapMs: 25 }),
  runOf("active", "crash", { failedRequests: 400, gapMs: 2500, afterReadinessMs: 1600 }),
];

test("what active mode costs is a ratio to standby, where standby has anything to compare with", () => {
  const record = failoverRecord(MACHINE, PLAN, RUNS);
  expect(record).toMatchObject({
    runs: 2,
    standby: {
      graceful: { failedRequests: 0, gapMs: { p50: 10, p99: 10 } },
      crash: { failedRequests: 200, gapMs: { p50: 1000, p99: 1200 } },
    },
    active: { crash: { failedRequests: 400, gapMs: { p50: 2500, p99: 2500 } } },
    activeToStandby: {
      graceful: { failedRequests: null, gapMs: { p50: 2.5 } },
      crash: { failedRequests: 2, gapMs: { p50: 2.5, p99: 2.08 } },
    },
    samples: RUNS,
  });
});

describe("the goals of standby", () => {
  test("are met by runs within their bounds, whatever active mode does", () => {
    expect(goalsOf(RUNS).map(({ met }) => met)).toEqual([true, true, true, true]);
  });

  test.each<[string, Run, number]>([
    [
      "a graceful removal at which a request failed",
      runOf("standby", "graceful", { failedRequests: 1 }),
      0,
    ],
    [
      "a return at which a request failed",
      runOf("standby", "graceful", { returnFailedRequests: 1 }),
      1,
    ],
    ["a graceful gap beyond 1.5 s", runOf("standby", "graceful", { afterReadinessMs: 1501 }), 2],
    [
      "a gap beyond 1.5 s after a crash was noticed",
      runOf("standby", "crash", { afterReadinessMs: 1501 }),
      3,
    ],
  ])("are missed by %s", (_what, run, index) => {
    const met = goalsOf([...RUNS, run]).map((goal) => goal.met);
    expect(met).toEqual([0, 1, 2, 3].map((each) => each !== index));
    expect(failoverReport(MACHINE, PLAN, [...RUNS, run])).toContain("**no**");
  });
});

test("the table has a row for each kind and mode, and one for their ratio", () => {
  const rows = failoverReport(MACHINE, PLAN, RUNS).split("\n");
  expect(rows.find((row) => row.startsWith("| pod's address blackholed, standby"))).toBe(
    "| pod's address blackholed, standby | 200 of 200 | 1000 / 1200 ms | 100 / 100 ms | 20 / 900 ms | 0 | 0 | 8 / 8 ms |",
  );
  expect(rows.filter((row) => row.startsWith("| _active / standby_"))).toHaveLength(2);
});

test("the figure has a dot for each run in each row, and stays on its axis", () => {
  const figure = drawFailovers([...RUNS, runOf("active", "crash", { gapMs: 60_000 })]);
  expect(figure.match(/<circle/g)).toHaveLength(2 * 2 + 4 * 3);
  expect(figure).not.toContain("NaN");
});
