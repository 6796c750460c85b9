import { expect, test } from "vitest";
import type { RequestRecord } from "../../test/workload/request-record.ts";
import { judgeRun, summarizeRuns } from "./judgement.ts";

const CRASH = { mode: "standby", kind: "crash" } as const;
const TIMES = { beganMs: 100, fellMs: 200, returnedMs: 300, endedMs: 400 };

function answered(cluster: string, beganMs: number): RequestRecord {
  return { beganMs, endedMs: beganMs + 2, cluster, failure: undefined };
}

function failed(failure: string, beganMs: number, tookMs = 1): RequestRecord {
  return { beganMs, endedMs: beganMs + tookMs, cluster: undefined, failure };
}

/** Own pods vanish at 100 and fall at 200, the other cluster answers from 248 on; a return without a hitch. */
const CRASHED = [
  answered("east", 50),
  answered("east", 108),
  failed("ETIMEDOUT", 150, 100),
  failed("ETIMEDOUT", 199, 100),
  failed("ECONNREFUSED", 210),
  answered("west", 246),
  answered("west", 290),
  answered("west", 310),
  answered("east", 350),
  answered("east", 390),
  failed("ETIMEDOUT", 401, 100),
];

test("a crash is told apart: until readiness fell, from then on, and the return", () => {
  expect(judgeRun(CRASH, TIMES, CRASHED)).toEqual({
    ...CRASH,
    requests: 6,
    failedRequests: 3,
    gapMs: 138,
    detectionMs: 100,
    afterReadinessMs: 48,
    failedAfterReadiness: 1,
    returnFailedRequests: 0,
    returnGapMs: 40,
    failures: { ETIMEDOUT: 2, ECONNREFUSED: 1 },
  });
});

test("a request that fails after the return counts for the return only", () => {
  const records = [...CRASHED, failed("ECONNRESET", 320)];
  const run = judgeRun(CRASH, TIMES, records);
  expect(run).toMatchObject({ failedRequests: 3, returnFailedRequests: 1 });
  expect(run.failures).toEqual({ ETIMEDOUT: 2, ECONNREFUSED: 1, ECONNRESET: 1 });
});

test("of several runs the failed requests add up, and the times have a median and a worst", () => {
  const run = judgeRun(CRASH, TIMES, CRASHED);
  const runs = [run, { ...run, gapMs: 5 }, { ...run, gapMs: 900, failedRequests: 0 }];
  expect(summarizeRuns(runs)).toMatchObject({
    runs: 3,
    requests: 18,
    failedRequests: 6,
    gapMs: { p50: 138, p99: 900, runs: 3 },
    failedAfterReadiness: 3,
  });
});
