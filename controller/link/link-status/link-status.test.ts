import { describe, expect, it } from "vitest";
import { CONDITION_TYPES, type Verdict } from "../../../api/conditions.ts";
import type { LinkStatus } from "../../../api/link.ts";
import { planStatus, type StatusInputs } from "./link-status.ts";

const VERDICTS: Verdict[] = CONDITION_TYPES.map((type) => ({
  type,
  status: "True",
  reason: "Fine",
  message: "fine",
}));
const INPUTS: StatusInputs = {
  verdicts: VERDICTS,
  target: { kind: "resolved", addresses: ["10.0.0.1"], port: 15008 },
  tally: { mirrored: 1, skipped: 0 },
  lastHeardMs: 1000,
  observedGeneration: 1,
  nowMs: 2000,
};
const WRITTEN = planStatus({}, INPUTS).status;
const LATER = { ...INPUTS, nowMs: 99_000, lastHeardMs: 98_000 };

function withReady(change: Partial<Verdict>): Verdict[] {
  return VERDICTS.map((verdict) =>
    verdict.type === "Ready" ? { ...verdict, ...change } : verdict,
  );
}

function readyTimeAfter(change: Partial<Verdict>): string | undefined {
  const { status } = planStatus(WRITTEN, { ...LATER, verdicts: withReady(change) });
  return status.conditions?.find(({ type }) => type === "Ready")?.lastTransitionTime;
}

describe("the status of a Link", () => {
  it("does not change while nothing but time does", () => {
    const plan = planStatus(WRITTEN, LATER);
    expect(plan.change).toBe("none");
    expect(plan.transitions).toEqual([]);
  });

  it("is the same whatever order the API server keeps conditions in, and whatever others add", () => {
    const conditions = [
      ...(WRITTEN.conditions ?? []).toReversed(),
      { type: "Foreign", status: "True", reason: "R", message: "", lastTransitionTime: "" },
    ];
    // A foreign condition is not of our types.
    const stored: LinkStatus = JSON.parse(JSON.stringify({ ...WRITTEN, conditions }));
    expect(planStatus(stored, LATER).change).toBe("none");
  });

  it("tells each condition whose status or reason changed, and notes when the API was heard", () => {
    const verdicts = withReady({ reason: "Other" });
    const plan = planStatus(WRITTEN, { ...LATER, verdicts });
    expect(plan.transitions.map(({ type, reason }) => `${type} ${reason}`)).toEqual([
      "Ready Other",
    ]);
    expect(plan.status.lastSyncTime).toBe("1970-01-01T00:01:38Z");
    expect(plan.change).toBe("conditions");
  });

  it("moves the transition time only with the status", () => {
    expect(readyTimeAfter({ reason: "Other" })).toBe("1970-01-01T00:00:02Z");
    expect(readyTimeAfter({ status: "False" })).toBe("1970-01-01T00:01:39Z");
  });

  it("says when only numbers of Services changed", () => {
    const plan = planStatus(WRITTEN, { ...LATER, tally: { mirrored: 2, skipped: 0 } });
    expect(plan.change).toBe("counts");
    expect(plan.status.lastSyncTime).toBe(WRITTEN.lastSyncTime);
  });

  it("says when only the wording changed", () => {
    const plan = planStatus(WRITTEN, { ...LATER, verdicts: withReady({ message: "other words" }) });
    expect(plan.change).toBe("messages");
    expect(plan.transitions).toEqual([]);
  });

  it("keeps addresses and numbers while they are not known", () => {
    const plan = planStatus(WRITTEN, { ...LATER, target: { kind: "pending" }, tally: undefined });
    expect(plan.change).toBe("none");
  });

  it("does not call a condition that begins as Unknown a transition", () => {
    const verdicts = withReady({ status: "Unknown" });
    const plan = planStatus({}, { ...INPUTS, verdicts });
    expect(plan.transitions.map(({ type }) => type)).toEqual(CONDITION_TYPES.slice(0, 4));
  });
});
