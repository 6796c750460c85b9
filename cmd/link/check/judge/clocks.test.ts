import { describe, expect, test } from "vitest";
import type { ClusterFacts } from "../facts/cluster-facts.ts";
import { judgeAhead, judgeClusterClocks } from "./clocks.ts";

const NOW_MS = Date.parse("2026-01-01T12:00:00Z");

function facts(renewTimes: Record<string, string>, ready = "True"): ClusterFacts {
  const conditions = [{ type: "Ready", status: ready }];
  const names = Object.keys(renewTimes);
  return {
    context: "east",
    nowMs: NOW_MS,
    version: { unknown: "" },
    groupVersions: { unknown: "" },
    nodes: { value: names.map((name) => ({ metadata: { name }, status: { conditions } })) },
    nodeLeases: {
      value: names.map((name) => {
        return { metadata: { name }, spec: { renewTime: renewTimes[name] ?? "" } };
      }),
    },
    namespace: { unknown: "" },
    definitions: { unknown: "" },
  };
}

describe("clocks", () => {
  test.each([
    [0, "ok"],
    [29_000, "ok"],
    [-31_000, "warn"],
    [9 * 60_000, "warn"],
    [10 * 60_000, "fail"],
    [-3_600_000, "fail"],
  ])("that are %i ms apart: %s", (aheadMs, result) => {
    const finding = judgeAhead("x", aheadMs, { clock: "its clock", other: "ours" });
    expect(finding.result).toBe(result);
  });

  test("says which one is ahead", () => {
    const names = { clock: "its clock", other: "ours" };
    expect(judgeAhead("x", 60_000, names).message).toBe("its clock is 60 s ahead of ours");
    expect(judgeAhead("x", -60_000, names).message).toBe("its clock is 60 s behind ours");
  });

  test.each([
    ["a Lease renewed 15 s ago", { n1: "2026-01-01T11:59:45.000000Z" }, "True", "ok"],
    ["a Lease as old as a busy kubelet lets it get", { n1: "2026-01-01T11:59:15Z" }, "True", "ok"],
    ["a Lease of the future", { n1: "2026-01-01T12:00:40Z" }, "True", "warn"],
    [
      "one node of two an hour behind",
      { n1: "2026-01-01T12:00:00Z", n2: "2026-01-01T11:00:00Z" },
      "True",
      "fail",
    ],
    ["an old Lease of a node that is not Ready", { n1: "2026-01-01T11:00:00Z" }, "False", "skip"],
  ] as const)("of nodes, from %s", (_name, times, ready, result) => {
    expect(judgeClusterClocks(facts(times, ready), undefined).at(-1)?.result).toBe(result);
  });

  test("names the node that is wrong", () => {
    const times = { n1: "2026-01-01T12:00:00Z", n2: "2026-01-01T11:00:00Z" };
    const message = "the clock of node n2 is 3600 s behind that of this machine";
    expect(judgeClusterClocks(facts(times), undefined).at(-1)?.message).toBe(message);
  });

  test("of an API server, by when it says that it issued a token", () => {
    const account = { namespace: "x", name: "y" };
    const rights = { account, exists: true, asked: 1, denied: [] };
    const judge = (aheadMs: number | undefined) =>
      judgeClusterClocks(facts({}), { value: { ...rights, aheadMs } })[0]?.result;
    expect([judge(500), judge(-45_000), judge(900_000), judge(undefined)]).toEqual([
      "ok",
      "warn",
      "fail",
      "skip",
    ]);
  });
});
