import { CONDITION_TYPES, type ConditionType, type Verdict } from "../../../api/conditions.ts";
import { API } from "./api-policies.ts";
import { CREDENTIALS } from "./credentials-policies.ts";
import { GATEWAY } from "./gateway-policies.ts";
import type { HealthInputs, Problem } from "./health-inputs.ts";
import { evaluate, type Finding, type PolicyChain } from "./policy.ts";
import { DENIAL_GRACE_MS, READY } from "./ready-policies.ts";
import { TRUST } from "./trust-policies.ts";

export { DENIAL_GRACE_MS } from "./ready-policies.ts";

/** In this order: the API's policies look at the gateway's verdict, Ready's at all. */
const CHAINS: readonly PolicyChain[] = [CREDENTIALS, TRUST, GATEWAY, API, READY];

/**
 * The conditions of a link, in the order of CONDITION_TYPES. Pure: the same
 * inputs give the same verdicts. Ready is True only while every input is good,
 * or within the time for which the Link lets it be unknown.
 */
export function assessHealth(inputs: HealthInputs): Verdict[] {
  const decided = new Map<ConditionType, Finding>();
  for (const chain of CHAINS) decided.set(chain.type, evaluate(chain, inputs, decided));
  return CONDITION_TYPES.flatMap((type) => {
    const finding = decided.get(type);
    if (finding === undefined) return [];
    const { status, reason, message } = finding;
    return [{ type, status, reason, message }];
  });
}

/** The conditions of a Link that is not acted on: its spec or its place among the others is wrong. */
export function refuseLink({ reason, message }: Problem): Verdict[] {
  return CONDITION_TYPES.map((type) => ({
    type,
    status: type === "Ready" ? "False" : "Unknown",
    reason,
    message,
  }));
}

/** Whether these conditions let mirrors take traffic. */
export function isOpen(verdicts: readonly Verdict[]): boolean {
  return verdicts.some(({ type, status }) => type === "Ready" && status === "True");
}

/** When, without any news, the verdicts may next change; undefined: never. Epoch ms. */
export function nextDeadlineMs(inputs: HealthInputs): number | undefined {
  const { nowMs, apiStalenessMs, credentials, api, trust, recorded, openings } = inputs;
  const deadlines = [
    api.lastHeardMs === undefined ? undefined : api.lastHeardMs + apiStalenessMs,
    credentials.unusable && credentials.unusable.sinceMs + apiStalenessMs,
    credentials.denial && credentials.denial.sinceMs + DENIAL_GRACE_MS,
    trust.validUntilMs,
    recorded?.gatewayUntilMs,
    recorded?.apiUntilMs,
    openings.heldUntilMs,
  ].filter((deadline) => deadline !== undefined && deadline > nowMs);
  return deadlines.length === 0 ? undefined : Math.min(...deadlines.map(Number));
}
