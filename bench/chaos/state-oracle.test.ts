import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  judgeBystanders,
  judgeHoldings,
  judgeListeners,
  judgeMemory,
  judgeMirrors,
  judgeTerminations,
  type MemorySample,
  memoryTrends,
} from "./state-oracle.ts";

const expected = [
  { key: "shop/web-west", source: "west/shop/web" },
  { key: "shop/web-north", source: "north/shop/web" },
];
const found = [
  { key: "shop/web-west", source: "west/shop/web", state: "open", egressPorts: [10_000] },
  { key: "shop/web-north", source: "north/shop/web", state: "open", egressPorts: [10_001] },
];

describe("the oracle of mirrors", () => {
  it("accepts exactly what is exported", () => {
    expect(judgeMirrors(expected, found)).toEqual([]);
  });

  it("finds missing, extra, closed and mixed up ones", () => {
    const [west, north] = found;
    if (west === undefined || north === undefined) throw new Error("two mirrors");
    expect(judgeMirrors(expected, [west])).toEqual([
      "mirror shop/web-north of north/shop/web is missing",
    ]);
    expect(judgeMirrors([], [west])).toEqual([
      "mirror shop/web-west of west/shop/web is one too many",
    ]);
    expect(judgeMirrors(expected, [west, { ...north, state: "closed" }])).toEqual([
      "mirror shop/web-north is closed",
    ]);
    expect(judgeMirrors(expected, [west, { ...north, source: west.source }])).toEqual([
      "mirror shop/web-north is of west/shop/web, not of north/shop/web",
    ]);
  });

  it("finds a listener without an open mirror and an open mirror without a listener", () => {
    expect(judgeListeners(found, new Map([["east-1", [10_000, 10_001]]]))).toEqual([]);
    expect(judgeListeners(found, new Map([["east-1", [10_001, 10_002]]]))).toEqual([
      "east-1 listens on 10002, which no open mirror has",
      "east-1 does not listen on 10000 of an open mirror",
    ]);
    const closed = found.map((mirror) => ({ ...mirror, state: "closed" }));
    expect(judgeListeners(closed, new Map([["east-1", [10_000]]]))).toHaveLength(1);
  });
});

describe("the oracle of what is not ours", () => {
  it("finds every changed or removed object and nothing else", () => {
    const versions = fc.dictionary(fc.string(), fc.string({ minLength: 1 }));
    fc.assert(
      fc.property(versions, versions, (one, other) => {
        const before = new Map(Object.entries(one));
        const after = new Map(Object.entries(other));
        const differing = [...before].filter(([key, version]) => after.get(key) !== version);
        expect(judgeBystanders(before, after)).toHaveLength(differing.length);
        expect(judgeBystanders(before, before)).toEqual([]);
      }),
    );
  });
});

describe("the oracle of processes", () => {
  const was = { processes: 2, sockets: 40, fileDescriptors: 90 };

  it("accepts idle connections and finds a leak", () => {
    const judge = (is: typeof was) =>
      judgeHoldings(new Map([["east/gateway", was]]), new Map([["east/gateway", is]]));
    expect(judge(was)).toEqual([]);
    expect(judge({ ...was, sockets: 64 })).toEqual([]);
    expect(judge({ ...was, sockets: 65 })).toEqual(["east/gateway had 40 sockets and has 65"]);
    expect(judge({ ...was, fileDescriptors: 115 })).toHaveLength(1);
    expect(judge({ ...was, processes: 3 })).toEqual(["east/gateway had 2 processes and has 3"]);
  });

  it("finds a component that is gone", () => {
    expect(judgeHoldings(new Map([["east/gateway", was]]), new Map())).toEqual([
      "east/gateway had 2 processes and has 0",
    ]);
  });

  it("finds memory that keeps growing, and tells its slope", () => {
    expect(judgeMemory(memoryTrends(growing(0)))).toEqual([]);
    expect(memoryTrends(growing(10))[0]?.slopeMibPerMinute).toBeCloseTo(10);
    expect(judgeMemory(memoryTrends(growing(10)))).toHaveLength(1);
  });

  it("finds a container that ended without a fault of its own", () => {
    const ended = {
      cluster: "east",
      pod: "isthmus-gateway-1",
      component: "gateway" as const,
      exitCode: 137,
      reason: "OOMKilled",
      atMs: 50_000,
    };
    const licence = {
      cluster: "east",
      component: "gateway" as const,
      fromMs: 49_500,
      toMs: 52_000,
    };
    expect(judgeTerminations([ended], [licence])).toEqual([]);
    expect(judgeTerminations([{ ...ended, exitCode: 0 }], [])).toEqual([]);
    for (const other of [
      { ...licence, cluster: "west" },
      { ...licence, component: "controller" as const },
      { ...licence, fromMs: 52_000 },
      { ...licence, toMs: 48_000, fromMs: 0 },
    ]) {
      expect(judgeTerminations([ended], [other])).toHaveLength(1);
    }
  });
});

/** Samples of ten minutes of a process that grows steadily. */
function growing(mibPerMinute: number): MemorySample[] {
  return Array.from({ length: 100 }, (_, index) => ({
    atMs: index * 6000,
    component: "east/controller",
    pid: 1,
    rssMib: 80 + (index / 10) * mibPerMinute,
  }));
}
