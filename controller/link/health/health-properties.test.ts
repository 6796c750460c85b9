import * as fc from "fast-check";
import { expect, it } from "vitest";
import { CONDITION_TYPES, type Verdict } from "../../../api/conditions.ts";
import { REASONS } from "../../../api/reasons.ts";
import { assessHealth, DENIAL_GRACE_MS, isOpen, nextDeadlineMs } from "./health.ts";
import type { HealthInputs, Problem } from "./health-inputs.ts";
import { NO_OPENINGS } from "./reopening.ts";
import { NO_PROBES, type ProbeHistory } from "../gateway-probe/probe-history.ts";

const NOW_MS = 1_000_000_000_000;
const STALENESS_MS = 300_000;
const RUNS = { numRuns: 3000 };

const DOWN: ProbeHistory = {
  ...NO_PROBES,
  state: "down",
  failure: { reason: REASONS.GatewayUnreachable, message: "refused" },
};
const REJECTING: ProbeHistory = {
  ...NO_PROBES,
  state: "down",
  failure: { reason: REASONS.PeerRejected, message: "rejected" },
};
const UP: ProbeHistory = { ...NO_PROBES, state: "up" };

/** Absent in half of the cases: `freq` is one in how many. */
function maybe<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(arbitrary, { nil: undefined, freq: 2 });
}

const PAST_MS = fc.integer({ min: 0, max: 2 * STALENESS_MS }).map((ageMs) => NOW_MS - ageMs);
const SOON_MS = fc.integer({ min: -5_000, max: 5_000 }).map((delayMs) => NOW_MS + delayMs);

function lasting(problem: Problem) {
  return maybe(PAST_MS.map((sinceMs) => ({ ...problem, sinceMs })));
}

function recordedVerdicts(status: Verdict["status"]): Verdict[] {
  return CONDITION_TYPES.map((type) => ({ type, status, reason: "Recorded", message: "recorded" }));
}

const ANY_INPUTS: fc.Arbitrary<HealthInputs> = fc.record({
  nowMs: fc.constant(NOW_MS),
  leading: fc.oneof(fc.constant(true), fc.constant(true), fc.boolean()),
  apiStalenessMs: fc.constant(STALENESS_MS),
  credentials: fc.record({
    unusable: lasting({ reason: REASONS.SecretNotFound, message: "no Secret" }),
    denial: lasting({ reason: REASONS.CredentialsRejected, message: "401" }),
    verified: fc.boolean(),
    refused: fc.option(fc.constant({ reason: REASONS.CredentialsRevoked, message: "gone" }), {
      nil: undefined,
      freq: 1,
    }),
  }),
  api: fc.record({
    synced: fc.boolean(),
    lastHeardMs: maybe(PAST_MS),
    failure: maybe(fc.constant({ reason: REASONS.ServerUnreachable, message: "refused" })),
  }),
  trust: fc.record({
    problem: maybe(fc.constant({ reason: REASONS.TrustBundleExpired, message: "expired" })),
    validUntilMs: maybe(SOON_MS),
  }),
  gateway: fc
    .array(fc.constantFrom(UP, UP, NO_PROBES, DOWN, REJECTING), { maxLength: 3 })
    .map((histories) => ({
      target: { kind: "resolved" as const, addresses: [], port: 15008 },
      addresses: histories.map((history, index) => ({ address: `10.0.0.${index}:1`, history })),
    })),
  recorded: maybe(
    fc.record({
      verdicts: fc.constantFrom(recordedVerdicts("True"), recordedVerdicts("False"), []),
      open: fc.boolean(),
      gatewayUntilMs: SOON_MS,
      apiUntilMs: SOON_MS,
    }),
  ),
  openings: maybe(SOON_MS).map((heldUntilMs) => ({ ...NO_OPENINGS, heldUntilMs })),
});

function opens(inputs: HealthInputs): boolean {
  return isOpen(assessHealth(inputs));
}

/** What has to hold for a link to be open, told apart from how the policies tell it. */
function mayBeOpen(inputs: HealthInputs): boolean {
  const { nowMs, credentials, api, trust, gateway, recorded } = inputs;
  const held = recorded?.open === true;
  const states = gateway.addresses.map(({ history }) => history.state);
  const gatewayGood =
    states.includes("up") ||
    (held &&
      nowMs < recorded.gatewayUntilMs &&
      (states.length === 0 || states.includes("unknown")));
  const within = (sinceMs: number | undefined, boundMs: number) =>
    sinceMs !== undefined && nowMs - sinceMs < boundMs;
  return (
    inputs.leading &&
    credentials.refused === undefined &&
    nowMs >= (inputs.openings.heldUntilMs ?? 0) &&
    trust.problem === undefined &&
    gatewayGood &&
    (api.synced || held) &&
    within(api.lastHeardMs, STALENESS_MS) &&
    (credentials.unusable === undefined || within(credentials.unusable.sinceMs, STALENESS_MS)) &&
    (credentials.denial === undefined || within(credentials.denial.sinceMs, DENIAL_GRACE_MS))
  );
}

it("a link is never open while an input is bad, or unknown beyond its bound", () => {
  fc.assert(
    fc.property(ANY_INPUTS, (inputs) => {
      expect(opens(inputs) && !mayBeOpen(inputs)).toBe(false);
    }),
    RUNS,
  );
});

it("of all inputs some leave a link open, or the property above would say nothing", () => {
  expect(fc.sample(ANY_INPUTS, 3000).filter(opens).length).toBeGreaterThan(10);
});

it("a link's health stays as it is until the deadline it names, if nothing happens", () => {
  fc.assert(
    fc.property(ANY_INPUTS, fc.nat({ max: 99 }), (inputs, percent) => {
      const deadlineMs = nextDeadlineMs(inputs) ?? inputs.nowMs + 2 * STALENESS_MS;
      const laterMs = inputs.nowMs + Math.floor(((deadlineMs - inputs.nowMs) * percent) / 100);
      expect(assessHealth({ ...inputs, nowMs: laterMs })).toEqual(assessHealth(inputs));
    }),
    RUNS,
  );
});

it("each link says each condition once, with a reason and a message", () => {
  fc.assert(
    fc.property(ANY_INPUTS, (inputs) => {
      const verdicts = assessHealth(inputs);
      expect(verdicts.map(({ type }) => type)).toEqual(CONDITION_TYPES);
      expect(verdicts.every(({ reason, message }) => reason !== "" && message !== "")).toBe(true);
    }),
    RUNS,
  );
});
