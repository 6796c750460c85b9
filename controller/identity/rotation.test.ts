import { describe, expect, it } from "vitest";
import { LEAF_LIFETIME_MS } from "../../pki/authority.ts";
import { PhaseTimer, phaseOf, planRotation, type RotationInputs } from "./rotation.ts";

const OVERLAP_MS = 3_600_000;
const YEAR_MS = 365 * 24 * 3_600_000;
const IDLE: RotationInputs = {
  phase: "idle",
  progress: undefined,
  notBeforeMs: 0,
  notAfterMs: 9 * YEAR_MS,
  nowMs: YEAR_MS,
  requested: undefined,
  finished: undefined,
  leafIssued: true,
  unrecordedMs: 0,
  overlapMs: OVERLAP_MS,
  linksLacking: [],
  gatewaysLacking: [],
};

function inPhase(
  phase: "announced" | "switched",
  waitedMs: number,
  changes: Partial<RotationInputs> = {},
): RotationInputs {
  return { ...IDLE, phase, progress: { id: "one", phase, waitedMs }, ...changes };
}

describe("a rotation of the CA", () => {
  it.each([
    { name: "not before it is asked for", changes: {}, step: "rest" },
    { name: "when it is asked for", changes: { requested: "one" }, step: "announce" },
    {
      name: "not twice for one request",
      changes: { requested: "one", finished: "one" },
      step: "rest",
    },
    {
      name: "for another request",
      changes: { requested: "two", finished: "one" },
      step: "announce",
    },
    {
      name: "when two thirds of the CA's life are over",
      changes: { nowMs: 6 * YEAR_MS },
      step: "announce",
    },
  ])("begins $name", ({ changes, step }) => {
    expect(planRotation({ ...IDLE, ...changes }).step).toBe(step);
  });

  it.each([
    { name: "waits for the overlap", inputs: inPhase("announced", 0), step: "wait" },
    { name: "switches after it", inputs: inPhase("announced", OVERLAP_MS), step: "switch" },
    {
      name: "counts what was recorded before a restart",
      inputs: inPhase("announced", OVERLAP_MS * 0.8, { unrecordedMs: OVERLAP_MS * 0.2 }),
      step: "switch",
    },
    {
      name: "waits on for a provider that does not follow",
      inputs: inPhase("announced", 23 * OVERLAP_MS, { linksLacking: ["west"] }),
      step: "wait",
    },
    {
      name: "waits for it no longer than that",
      inputs: inPhase("announced", 24 * OVERLAP_MS, { linksLacking: ["west"] }),
      step: "switch",
    },
    {
      name: "is not hurried by a step of the wall clock",
      inputs: inPhase("announced", 0, { nowMs: 5 * YEAR_MS }),
      step: "wait",
    },
    {
      name: "drops the CA before after the overlap",
      inputs: inPhase("switched", OVERLAP_MS),
      step: "retire",
    },
    {
      name: "keeps it for gateways that may still use the certificate before",
      inputs: inPhase("switched", LEAF_LIFETIME_MS - 1, { gatewaysLacking: ["gateway-0"] }),
      step: "wait",
    },
    {
      name: "drops it when the last certificate of it has ended",
      inputs: inPhase("switched", LEAF_LIFETIME_MS, { gatewaysLacking: ["gateway-0"] }),
      step: "retire",
    },
    {
      name: "keeps it while the gateways' certificate is not of the new CA",
      inputs: inPhase("switched", 2 * LEAF_LIFETIME_MS, { leafIssued: false }),
      step: "wait",
    },
  ])("$name", ({ inputs, step }) => {
    expect(planRotation(inputs).step).toBe(step);
  });

  it("names who has not followed once the overlap is over, and nobody before", () => {
    const linksLacking = ["west"];
    expect(planRotation(inPhase("announced", 0, { linksLacking }))).toMatchObject({ lacking: [] });
    expect(planRotation(inPhase("announced", OVERLAP_MS, { linksLacking }))).toMatchObject({
      lacking: ["west"],
    });
  });

  it("writes down how long it waited four times an overlap, and more rarely when that is over", () => {
    const quarterMs = OVERLAP_MS / 4;
    const early = inPhase("announced", 0, { unrecordedMs: quarterMs });
    expect(planRotation(early)).toEqual({
      step: "record",
      phase: "announced",
      waitedMs: quarterMs,
    });
    const late = { linksLacking: ["west"], overlapMs: 10_000, unrecordedMs: 10_000 };
    expect(planRotation(inPhase("announced", 10_000, late)).step).toBe("wait");
  });

  it.each([
    { held: { next: false, previous: false }, recorded: "announced", phase: "idle" },
    { held: { next: true, previous: false }, recorded: undefined, phase: "announcing" },
    { held: { next: true, previous: false }, recorded: "switched", phase: "announcing" },
    { held: { next: true, previous: false }, recorded: "announced", phase: "announced" },
    { held: { next: false, previous: true }, recorded: "announced", phase: "switching" },
    { held: { next: false, previous: true }, recorded: "switched", phase: "switched" },
    { held: { next: true, previous: true }, recorded: "announced", phase: "switching" },
  ] as const)(
    "is $phase by its keys $held and the record $recorded",
    ({ held, recorded, phase }) => {
      expect(phaseOf(held, recorded)).toBe(phase);
    },
  );

  it("measures a phase from when it was first seen, and anew when the record changes or is reset", () => {
    const timer = new PhaseTimer();
    const seen = inPhase("announced", 0);
    expect(timer.unrecordedMs(seen, 100)).toBe(0);
    expect(timer.unrecordedMs(seen, 700)).toBe(600);
    expect(timer.unrecordedMs(inPhase("announced", 600), 800)).toBe(0);
    timer.reset();
    expect(timer.unrecordedMs(inPhase("announced", 600), 900)).toBe(0);
  });
});
