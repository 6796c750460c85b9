import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Attempt } from "../../test/workload/caller.ts";
import type { FaultKind } from "./fault-kinds.ts";
import { judgeTraffic, type PastFault, type TrafficHistory } from "./traffic-oracle.ts";

const mirrors = [
  { provider: "west", service: "web-1", answer: "hello from west/web-1" },
  { provider: "north", service: "web-1", answer: "hello from north/web-1" },
];
const kinds: Partial<Record<string, FaultKind>> = {
  blackHole: {
    on: "provider",
    holdMs: [0, 0],
    disturbs: "provider",
    detectionMs: 4000,
    recoveryMs: 10_000,
  },
  packetLoss: {
    on: "provider",
    holdMs: [0, 0],
    disturbs: "provider",
    detectionMs: 4000,
    lasting: true,
    recoveryMs: 10_000,
  },
  apiPaused: {
    on: "provider",
    holdMs: [0, 0],
    disturbs: "none",
    detectionMs: 0,
    recoveryMs: 15_000,
  },
  handEdited: {
    on: "service",
    holdMs: [0, 0],
    disturbs: "service",
    detectionMs: 2000,
    mendedByLeader: true,
    recoveryMs: 30_000,
  },
  leaderKilled: {
    on: "consumer",
    holdMs: [0, 0],
    disturbs: "none",
    detectionMs: 0,
    leaderless: true,
    recoveryMs: 30_000,
  },
  unexported: {
    on: "service",
    holdMs: [0, 0],
    disturbs: "service",
    detectionMs: 2000,
    recoveryMs: 10_000,
  },
};

function kindOf(name: string): FaultKind {
  const kind = kinds[name];
  if (kind === undefined) throw new Error(name);
  return kind;
}

/** A fault of west from second 100 to second 110. */
function fault(name: PastFault["name"], at: Partial<PastFault> = {}): PastFault {
  return { id: 1, name, provider: "west", beganMs: 100_000, endedMs: 110_000, ...at };
}

function rules(attempts: readonly Attempt[], faults: readonly PastFault[] = []): string[] {
  const history: TrafficHistory = { mirrors, attempts, faults, kindOf };
  return judgeTraffic(history).map(({ rule }) => rule);
}

function answered(atMs: number, body: string, target = 0): Attempt {
  return { atMs, tookMs: 2, target, status: 200, body: `${body}\n` };
}

function failed(atMs: number, tookMs = 1, code = "ECONNREFUSED", target = 0): Attempt {
  return { atMs, tookMs, target, code };
}

describe("the oracle of traffic", () => {
  it("accepts right answers, whatever happens", () => {
    expect(rules([answered(1, "hello from west/web-1")])).toEqual([]);
    expect(rules([answered(105_000, "hello from north/web-1", 1)], [fault("blackHole")])).toEqual(
      [],
    );
  });

  it("finds an answer from another cluster, another Service or with another status", () => {
    const elsewhere = [
      answered(1, "hello from north/web-1"),
      answered(1, "hello from west/web-2"),
      { ...answered(1, "hello from west/web-1"), status: 500 },
    ];
    expect(rules(elsewhere, [fault("blackHole", { beganMs: 0 })])).toEqual([
      "wrongAnswer",
      "wrongAnswer",
      "wrongAnswer",
    ]);
  });

  it("finds a failure that no fault explains", () => {
    expect(rules([failed(99_000)], [fault("blackHole")])).toEqual(["unexplained"]);
    expect(rules([failed(120_001)], [fault("blackHole")])).toEqual(["unexplained"]);
    expect(rules([failed(105_000)], [fault("apiPaused")])).toEqual(["unexplained"]);
  });

  it("finds a link that another link's fault disturbs", () => {
    expect(rules([failed(105_000, 1, "ECONNREFUSED", 1)], [fault("blackHole")])).toEqual([
      "unexplained",
    ]);
  });

  it("accepts fast failures until the fault is recovered from", () => {
    const attempts = [failed(100_001), failed(109_000, 900, "ECONNRESET"), failed(119_999)];
    expect(rules(attempts, [fault("blackHole")])).toEqual([]);
  });

  it("accepts a slow failure inside the detection bound, and finds one after it", () => {
    const inside = failed(100_100, 3000, "ECONNRESET");
    const begunBefore = failed(99_999, 3000, "ETIMEDOUT");
    expect(rules([inside, begunBefore], [fault("blackHole")])).toEqual([]);
    const begunLater = failed(104_001, 1001, "ECONNRESET");
    const endedLater = failed(100_100, 10_000, "ETIMEDOUT");
    expect(rules([begunLater, endedLater], [fault("blackHole")])).toEqual(["notFast", "notFast"]);
  });

  it("counts a failure of another kind as slow, however fast it came", () => {
    expect(rules([failed(109_000, 1, "EHOSTUNREACH")], [fault("blackHole")])).toEqual(["notFast"]);
  });

  it("bounds each attempt, not the begin, while packets are lost", () => {
    const slow = failed(109_000, 4500, "ECONNRESET");
    const tooSlow = failed(109_000, 5001, "ECONNRESET");
    expect(rules([slow, tooSlow], [fault("packetLoss")])).toEqual(["notFast"]);
  });

  it("lets a fault that disturbs nobody put off the recovery from one that does", () => {
    const faults = [
      fault("blackHole"),
      fault("apiPaused", { id: 2, beganMs: 115_000, endedMs: 130_000 }),
    ];
    expect(rules([failed(140_000)], faults)).toEqual([]);
    expect(rules([failed(145_001)], faults)).toEqual(["unexplained"]);
    const elsewhere = [
      faults[0] ?? fault("blackHole"),
      { ...fault("apiPaused"), provider: "north" },
    ];
    expect(rules([failed(121_000)], elsewhere)).toEqual(["unexplained"]);
  });

  it("tells a fault of one Service from that of another", () => {
    const other = fault("unexported", { service: "web-2" });
    expect(rules([failed(105_000)], [other])).toEqual(["unexplained"]);
    expect(rules([failed(105_000)], [{ ...other, service: "web-1" }])).toEqual([]);
  });

  it("accepts an unknown name only where the Service itself was acted on", () => {
    const unknown = failed(105_000, 3, "ENOTFOUND");
    expect(rules([unknown], [fault("blackHole")])).toEqual(["notFast"]);
    expect(rules([unknown], [fault("unexported", { service: "web-1" })])).toEqual([]);
  });

  it("gives a hand edit the time until a controller leads again, and no longer", () => {
    const edited = fault("handEdited", { service: "web-1", endedMs: 100_000 });
    const leaderless = { id: 2, name: "leaderKilled" as const, beganMs: 98_000, endedMs: 99_000 };
    const hung = failed(104_000, 10_000, "ETIMEDOUT");
    expect(rules([hung], [edited])).toEqual(["notFast"]);
    expect(rules([hung], [edited, leaderless])).toEqual([]);
    expect(rules([failed(111_001, 10_000, "ETIMEDOUT")], [edited, leaderless])).toEqual([
      "notFast",
    ]);
    const longBefore = { ...leaderless, beganMs: 79_999 };
    expect(rules([hung], [edited, longBefore])).toEqual(["notFast"]);
  });

  it("names the faults that were active beside a violation", () => {
    const attempts = [failed(109_000, 5000, "ETIMEDOUT")];
    const [violation] = judgeTraffic({ mirrors, attempts, faults: [fault("blackHole")], kindOf });
    expect(violation?.faults.map(({ name }) => name)).toEqual(["blackHole"]);
  });
});

const anyAttempt = fc.record({
  atMs: fc.integer({ min: 0, max: 200_000 }),
  tookMs: fc.integer({ min: 0, max: 12_000 }),
  target: fc.constantFrom(0, 1),
  code: fc.constantFrom("ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EHOSTUNREACH"),
});
const anyFault = fc
  .record({
    id: fc.integer(),
    name: fc.constantFrom("blackHole" as const, "packetLoss" as const, "apiPaused" as const),
    provider: fc.constantFrom("west", "north"),
    beganMs: fc.integer({ min: 0, max: 150_000 }),
    lastsMs: fc.integer({ min: 0, max: 20_000 }),
  })
  .map(({ lastsMs, ...rest }): PastFault => ({ ...rest, endedMs: rest.beganMs + lastsMs }));

describe("the oracle of traffic, for any history", () => {
  it("never faults a history of right answers", () => {
    const answers = fc.array(anyAttempt).map((attempts) =>
      attempts.map(({ atMs, tookMs, target }): Attempt => {
        const body = mirrors[target]?.answer ?? "";
        return { atMs, tookMs, target, status: 200, body };
      }),
    );
    fc.assert(
      fc.property(answers, fc.array(anyFault), (attempts, faults) => {
        expect(rules(attempts, faults)).toEqual([]);
      }),
    );
  });

  it("faults every failure of a run without a disturbing fault", () => {
    const harmless = fc
      .array(anyFault)
      .map((faults) => faults.map((each): PastFault => ({ ...each, name: "apiPaused" })));
    fc.assert(
      fc.property(fc.array(anyAttempt), harmless, (attempts, faults) => {
        expect(rules(attempts, faults)).toEqual(attempts.map(() => "unexplained"));
      }),
    );
  });

  it("never accepts a failure slower than every bound", () => {
    fc.assert(
      fc.property(anyAttempt, fc.array(anyFault), (attempt, faults) => {
        const hung: Attempt = { ...attempt, tookMs: attempt.tookMs + 5001 };
        const inFlightAtBegin = faults.some(
          ({ beganMs }) => beganMs > hung.atMs && beganMs <= hung.atMs + hung.tookMs,
        );
        fc.pre(!inFlightAtBegin);
        expect(rules([hung], faults)).toHaveLength(1);
      }),
    );
  });

  it("accepts no more with fewer faults", () => {
    fc.assert(
      fc.property(fc.array(anyAttempt), fc.array(anyFault), (attempts, faults) => {
        const all = new Set(violating(attempts, faults));
        const fewer = new Set(violating(attempts, faults.slice(1)));
        expect([...all].filter((index) => !fewer.has(index))).toEqual([]);
      }),
    );
  });
});

function violating(attempts: readonly Attempt[], faults: readonly PastFault[]): number[] {
  return judgeTraffic({ mirrors, attempts, faults, kindOf }).map(({ attempt }) =>
    attempts.indexOf(attempt),
  );
}
