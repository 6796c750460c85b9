import { describe, expect, it } from "vitest";
import { CONDITION_TYPES, type Verdict } from "../../../api/conditions.ts";
import type { LinkStatus } from "../../../api/link.ts";
import { planStatus, type StatusChange } from "./link-status.ts";
import { WriteDamper } from "./write-damper.ts";

const HOUR_MS = 3_600_000;

/** What the writer does when the status is looked at every second: the times of its writes. */
function writesOf(verdictsAt: (second: number) => Partial<Verdict>[], seconds: number) {
  const damper = new WriteDamper(0);
  const writes: { second: number; change: StatusChange }[] = [];
  let status: LinkStatus = {};
  for (let second = 0; second < seconds; second += 1) {
    const changed = verdictsAt(second);
    const plan = planStatus(status, {
      verdicts: CONDITION_TYPES.map((type) => {
        const fine: Verdict = { type, status: "True", reason: "Fine", message: "fine" };
        return { ...fine, ...changed.find((verdict) => verdict.type === type) };
      }),
      target: undefined,
      tally: undefined,
      lastHeardMs: undefined,
      observedGeneration: 1,
      nowMs: second * 1000,
    });
    if (plan.change === "none" || damper.waitMs(plan.change, second * 1000) > 0) continue;
    damper.wrote(plan.change, second * 1000);
    writes.push({ second, change: plan.change });
    ({ status } = plan);
  }
  return writes;
}

function down(message: string, reason = "GatewayUnreachable"): Partial<Verdict>[] {
  return [
    { type: "GatewayHealthy", status: "False", reason, message },
    { type: "Ready", status: "False", reason, message },
  ];
}

describe("the writes of a Link's status", () => {
  it("come at once when the link opens or closes, however often that was", () => {
    const writes = writesOf((second) => (second % 2 === 0 ? [] : down("refused")), 60);
    expect(writes).toHaveLength(60);
  });

  it("are four at most for a gateway that fails 20 probes in ever other words", () => {
    const writes = writesOf((second) => (second === 0 ? [] : down(`port ${second}`)), 21);
    expect(writes.length).toBeLessThanOrEqual(4);
    expect(writes[1]).toEqual({ second: 1, change: "ready" });
  });

  it("grow ever rarer while only an error's words change", () => {
    const writes = writesOf((second) => (second === 0 ? [] : down(`at ${second}`)), 3600);
    expect(writes.length).toBeLessThanOrEqual(13);
  });

  it("are few while the reason changes with every probe", () => {
    const reasons = ["GatewayUnreachable", "PeerRejected"];
    const writes = writesOf(
      (second) => (second === 0 ? [] : down("bad", reasons[second % 2])),
      120,
    );
    expect(writes.length).toBeLessThanOrEqual(14);
  });

  it("let every condition change at once at the start, and after a calm time", () => {
    const damper = new WriteDamper(0);
    for (let count = 0; count < 5; count += 1) {
      expect(damper.waitMs("conditions", 10)).toBeLessThanOrEqual(0);
      damper.wrote("conditions", 10);
    }
    expect(damper.waitMs("conditions", 10)).toBe(1_000);
    expect(damper.waitMs("conditions", HOUR_MS)).toBeLessThanOrEqual(0);
  });

  it("put numbers of Services and mere words off after any other write", () => {
    const damper = new WriteDamper(0);
    damper.wrote("ready", 50_000);
    expect(damper.waitMs("counts", 50_000)).toBe(2_000);
    expect(damper.waitMs("messages", 50_000)).toBe(10_000);
  });

  it("are not held off by a clock that was set back", () => {
    const damper = new WriteDamper(HOUR_MS);
    for (let count = 0; count < 9; count += 1) damper.wrote("conditions", HOUR_MS);
    expect(damper.waitMs("conditions", 1_000)).toBe(0);
    expect(damper.waitMs("counts", 1_000)).toBe(2_000);
  });
});
