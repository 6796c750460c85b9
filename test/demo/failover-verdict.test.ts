import { expect, test } from "vitest";
import type { RequestRecord } from "../workload/request-record.ts";
import { judge, type Phase } from "./failover-verdict.ts";

const PHASES: readonly Phase[] = [
  {
    name: "before",
    kind: "steady",
    fromMs: 0,
    toMs: 10,
    mayAnswer: ["east"],
    mayFail: false,
  },
  {
    name: "killed",
    kind: "handover",
    fromMs: 10,
    toMs: 20,
    mayAnswer: ["east", "west"],
    mayFail: true,
  },
  {
    name: "gone",
    kind: "steady",
    fromMs: 20,
    toMs: 30,
    mayAnswer: ["west"],
    mayFail: false,
  },
];

function answersOf(...clusters: (string | undefined)[]): RequestRecord[] {
  return clusters.map((cluster, index) => ({
    beganMs: index * 5,
    endedMs: index * 5 + 1,
    cluster,
    failure: cluster === undefined ? "ECONNREFUSED" : undefined,
  }));
}

test("all is well when each phase was answered by whom it should be, and only a killed server's requests failed", () => {
  const records = answersOf("east", "east", undefined, "west", "west", "west");
  expect(judge(PHASES, records)).toEqual({
    requests: 6,
    failed: 1,
    longest: { gapMs: 10, fromMs: 6 },
    wrong: [],
  });
});

test.each([
  {
    what: "an answer from another cluster than the phase's",
    clusters: ["east", "west", "east", "west", "west", "east"],
    wrong: ["before: 1 of 2 answers came from west", "gone: 1 of 2 answers came from east"],
  },
  {
    what: "a failure where nothing may fail",
    clusters: ["east", undefined, "west", "west", "west", "west"],
    wrong: ["before: 1 of 2 requests failed: ECONNREFUSED"],
  },
  {
    what: "a phase that nobody answered",
    clusters: ["east", "east", undefined, undefined, "west", "west"],
    wrong: ["killed: nothing was answered"],
  },
])("$what is told", ({ clusters, wrong }) => {
  expect(judge(PHASES, answersOf(...clusters)).wrong).toEqual(wrong);
});
