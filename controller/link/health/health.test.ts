import { describe, expect, it } from "vitest";
import { CONDITION_TYPES, type ConditionType } from "../../../api/conditions.ts";
import { REASONS } from "../../../api/reasons.ts";
import { assessHealth, DENIAL_GRACE_MS, nextDeadlineMs, refuseLink } from "./health.ts";
import type { HealthInputs, Problem } from "./health-inputs.ts";
import { NO_PROBES, type ProbeHistory } from "../gateway-probe/probe-history.ts";

const NOW_MS = 1_000_000_000_000;
const STALENESS_MS = 300_000;
const UP: ProbeHistory = { ...NO_PROBES, state: "up" };
const REFUSED: Problem = { reason: REASONS.ServerUnreachable, message: "refused" };
const REJECTED: Problem = { reason: REASONS.CredentialsRejected, message: "401" };
const MISSING: Problem = { reason: REASONS.SecretNotFound, message: "no Secret" };

function down(reason: Problem["reason"]): ProbeHistory {
  const failure = { reason: REASONS.GatewayUnreachable, message: reason };
  return { ...NO_PROBES, state: "down", failure };
}

function withFailure(reason: keyof typeof REASONS): ProbeHistory {
  return { ...NO_PROBES, state: "down", failure: { reason: REASONS[reason], message: reason } };
}

/** Everything is good. */
const HEALTHY: HealthInputs = {
  nowMs: NOW_MS,
  apiStalenessMs: STALENESS_MS,
  credentials: { verified: true },
  api: { synced: true, lastHeardMs: NOW_MS },
  trust: {},
  gateway: {
    target: { kind: "resolved", addresses: ["10.0.0.1"], port: 15008 },
    addresses: [{ address: "10.0.0.1:15008", history: UP }],
  },
};

/** Nothing was heard of the provider in this process yet. */
const UNHEARD: HealthInputs = {
  ...HEALTHY,
  credentials: { verified: false },
  api: { synced: false, lastHeardMs: undefined },
  gateway: {
    ...HEALTHY.gateway,
    addresses: [{ address: "10.0.0.1:15008", history: NO_PROBES }],
  },
};

const RECORDED_OPEN = {
  verdicts: assessHealth(HEALTHY),
  open: true,
  gatewayUntilMs: NOW_MS + 2_000,
  apiUntilMs: NOW_MS + 10_000,
};

function probed(...histories: ProbeHistory[]): HealthInputs["gateway"] {
  return {
    target: { kind: "resolved", addresses: [], port: 15008 },
    addresses: histories.map((history, index) => ({ address: `10.0.0.${index}:15008`, history })),
  };
}

function conditionOf(inputs: HealthInputs, type: ConditionType): string {
  const found = assessHealth(inputs).find((verdict) => verdict.type === type);
  return `${found?.status} ${found?.reason}`;
}

function isOpen(inputs: HealthInputs): boolean {
  return conditionOf(inputs, "Ready").startsWith("True");
}

describe("a link's health", () => {
  it("is Ready when everything is good, with each condition once and in order", () => {
    const verdicts = assessHealth(HEALTHY);
    expect(verdicts.map(({ type }) => type)).toEqual(CONDITION_TYPES);
    expect(verdicts.map(({ status }) => status)).toEqual(CONDITION_TYPES.map(() => "True"));
  });

  it.each<{ name: string; inputs: Partial<HealthInputs>; type: ConditionType; says: string }>([
    {
      name: "a missing Secret",
      inputs: { credentials: { verified: true, unusable: { ...MISSING, sinceMs: NOW_MS } } },
      type: "CredentialsValid",
      says: "False SecretNotFound",
    },
    {
      name: "rejected credentials",
      inputs: { credentials: { verified: false, denial: { ...REJECTED, sinceMs: NOW_MS } } },
      type: "CredentialsValid",
      says: "False CredentialsRejected",
    },
    {
      name: "an API that was never reached",
      inputs: { api: { synced: false, lastHeardMs: undefined, failure: REFUSED } },
      type: "ApiReachable",
      says: "False ServerUnreachable",
    },
    {
      name: "an API lost a moment ago behind a healthy gateway",
      inputs: { api: { synced: true, lastHeardMs: NOW_MS - 1000, failure: REFUSED } },
      type: "ApiReachable",
      says: "False ApiLostTolerated",
    },
    {
      name: "an API lost for too long",
      inputs: { api: { synced: true, lastHeardMs: NOW_MS - STALENESS_MS, failure: REFUSED } },
      type: "ApiReachable",
      says: "False ApiLostTooLong",
    },
    {
      name: "an API and a gateway both lost",
      inputs: {
        api: { synced: true, lastHeardMs: NOW_MS - 1000, failure: REFUSED },
        gateway: probed(down("refused")),
      },
      type: "ApiReachable",
      says: "False ServerUnreachable",
    },
    {
      name: "a missing own certificate",
      inputs: { trust: { problem: { reason: REASONS.OwnCertificateMissing, message: "none" } } },
      type: "TrustValid",
      says: "False OwnCertificateMissing",
    },
    {
      name: "a gateway of another identity",
      inputs: { gateway: probed(withFailure("IdentityMismatch")) },
      type: "TrustValid",
      says: "False IdentityMismatch",
    },
    {
      name: "an impostor beside a gateway that answers",
      inputs: { gateway: probed(withFailure("IdentityMismatch"), UP) },
      type: "TrustValid",
      says: "True TrustBundleValid",
    },
    {
      name: "one bad address of three",
      inputs: { gateway: probed(UP, down("refused"), UP) },
      type: "GatewayHealthy",
      says: "True SomeAddressesFailing",
    },
    {
      name: "no address that answers",
      inputs: { gateway: probed(down("refused"), down("refused")) },
      type: "GatewayHealthy",
      says: "False GatewayUnreachable",
    },
    {
      name: "a gateway nobody has probed yet",
      inputs: { gateway: probed(NO_PROBES) },
      type: "GatewayHealthy",
      says: "Unknown ProbePending",
    },
    {
      name: "a provider without a gateway Service",
      inputs: {
        gateway: {
          target: { kind: "unresolved", reason: REASONS.GatewayMissing, message: "none" },
          addresses: [],
        },
      },
      type: "GatewayHealthy",
      says: "False GatewayMissing",
    },
  ])("names $name", ({ inputs, type, says }) => {
    expect(conditionOf({ ...HEALTHY, ...inputs }, type)).toBe(says);
  });

  it.each<{ name: string; inputs: HealthInputs; open: boolean }>([
    { name: "never before the first answers", inputs: UNHEARD, open: false },
    {
      name: "while the API is lost within the bound",
      inputs: { ...HEALTHY, api: { synced: true, lastHeardMs: NOW_MS - 1, failure: REFUSED } },
      open: true,
    },
    {
      name: "not when the API is lost beyond the bound",
      inputs: {
        ...HEALTHY,
        api: { synced: true, lastHeardMs: NOW_MS - STALENESS_MS, failure: REFUSED },
      },
      open: false,
    },
    {
      name: "while a Secret is missing within the bound",
      inputs: {
        ...HEALTHY,
        credentials: { verified: true, unusable: { ...MISSING, sinceMs: NOW_MS - 1000 } },
      },
      open: true,
    },
    {
      name: "not when a Secret is missing beyond the bound, whatever the API says",
      inputs: {
        ...HEALTHY,
        credentials: { verified: true, unusable: { ...MISSING, sinceMs: NOW_MS - STALENESS_MS } },
      },
      open: false,
    },
    {
      name: "while a denial has only just begun",
      inputs: {
        ...HEALTHY,
        credentials: { verified: false, denial: { ...REJECTED, sinceMs: NOW_MS } },
      },
      open: true,
    },
    {
      name: "not when the provider goes on saying no",
      inputs: {
        ...HEALTHY,
        credentials: {
          verified: false,
          denial: { ...REJECTED, sinceMs: NOW_MS - DENIAL_GRACE_MS },
        },
      },
      open: false,
    },
    {
      name: "after a restart of a link that was open, until the first probe",
      inputs: {
        ...UNHEARD,
        api: { synced: false, lastHeardMs: NOW_MS },
        recorded: RECORDED_OPEN,
      },
      open: true,
    },
    {
      name: "not after a restart once the first probe has failed",
      inputs: {
        ...UNHEARD,
        api: { synced: false, lastHeardMs: NOW_MS },
        gateway: probed(down("refused")),
        recorded: RECORDED_OPEN,
      },
      open: false,
    },
    {
      name: "not after a restart when the first probe gave no result in time",
      inputs: {
        ...UNHEARD,
        nowMs: RECORDED_OPEN.gatewayUntilMs,
        api: { synced: false, lastHeardMs: NOW_MS },
        recorded: RECORDED_OPEN,
      },
      open: false,
    },
    {
      name: "not after a restart of a link that was closed, before a probe",
      inputs: {
        ...HEALTHY,
        gateway: probed(NO_PROBES),
        recorded: { ...RECORDED_OPEN, open: false },
      },
      open: false,
    },
  ])("is open $name", ({ inputs, open }) => {
    expect(isOpen(inputs)).toBe(open);
  });

  it("repeats what was recorded instead of turning Unknown for a moment after a restart", () => {
    const verdicts = assessHealth({
      ...UNHEARD,
      api: { synced: false, lastHeardMs: NOW_MS },
      recorded: RECORDED_OPEN,
    });
    expect(verdicts).toEqual(RECORDED_OPEN.verdicts);
  });

  it("is looked at again when certificates that are good now run out", () => {
    const untilMs = NOW_MS + 5_000;
    expect(nextDeadlineMs({ ...HEALTHY, trust: { validUntilMs: untilMs } })).toBe(untilMs);
  });

  it("closes a Link that is refused and claims nothing else of it", () => {
    const verdicts = refuseLink({ reason: REASONS.DuplicateClusterName, message: "other" });
    expect(verdicts.map(({ status }) => status)).toEqual([
      ...Array.from({ length: 4 }, () => "Unknown"),
      "False",
    ]);
  });
});
