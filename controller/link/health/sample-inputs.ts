import type { ConditionType } from "../../../api/conditions.ts";
import { REASONS } from "../../../api/reasons.ts";
import { NO_PROBES, type ProbeHistory } from "../gateway-probe/probe-history.ts";
import { assessHealth, isOpen } from "./health.ts";
import type { HealthInputs, Problem } from "./health-inputs.ts";
import { NO_OPENINGS } from "./reopening.ts";

/** Inputs by which the tests of this folder say what they are about. */

export const NOW_MS = 1_000_000_000_000;
export const STALENESS_MS = 300_000;
export const UP: ProbeHistory = { ...NO_PROBES, state: "up" };
export const REFUSED: Problem = { reason: REASONS.ServerUnreachable, message: "refused" };
export const REJECTED: Problem = { reason: REASONS.CredentialsRejected, message: "401" };
export const MISSING: Problem = { reason: REASONS.SecretNotFound, message: "no Secret" };

export function down(reason: Problem["reason"]): ProbeHistory {
  const failure = { reason: REASONS.GatewayUnreachable, message: reason };
  return { ...NO_PROBES, state: "down", failure };
}

export function withFailure(reason: keyof typeof REASONS): ProbeHistory {
  return { ...NO_PROBES, state: "down", failure: { reason: REASONS[reason], message: reason } };
}

/** Everything is good. */
export const HEALTHY: HealthInputs = {
  nowMs: NOW_MS,
  leading: true,
  openings: NO_OPENINGS,
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
export const UNHEARD: HealthInputs = {
  ...HEALTHY,
  credentials: { verified: false },
  api: { synced: false, lastHeardMs: undefined },
  gateway: {
    ...HEALTHY.gateway,
    addresses: [{ address: "10.0.0.1:15008", history: NO_PROBES }],
  },
};

export const RECORDED_OPEN = {
  verdicts: assessHealth(HEALTHY),
  open: true,
  gatewayUntilMs: NOW_MS + 2_000,
  apiUntilMs: NOW_MS + 10_000,
};

export function probed(...histories: ProbeHistory[]): HealthInputs["gateway"] {
  return {
    target: { kind: "resolved", addresses: [], port: 15008 },
    addresses: histories.map((history, index) => ({ address: `10.0.0.${index}:15008`, history })),
  };
}

export function conditionOf(inputs: HealthInputs, type: ConditionType): string {
  const found = assessHealth(inputs).find((verdict) => verdict.type === type);
  return `${found?.status} ${found?.reason}`;
}

export function opens(inputs: HealthInputs): boolean {
  return isOpen(assessHealth(inputs));
}
