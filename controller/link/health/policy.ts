import type { ConditionType, Verdict } from "../../../api/conditions.ts";
import { REASONS } from "../../../api/reasons.ts";
import type { HealthInputs } from "./health-inputs.ts";

/** What a policy says of a condition. */
export interface Finding extends Omit<Verdict, "type"> {
  /** It repeats what was recorded before a restart; nothing was seen in this process yet. */
  readonly held?: true;
}

/** What was decided so far. */
export type Findings = ReadonlyMap<ConditionType, Finding>;

/** One cause of a condition's status, or silence where it is not the cause. Pure. */
export type Policy = (inputs: HealthInputs, decided: Findings) => Finding | undefined;

/** A condition and what may cause it, in the order of precedence. */
export interface PolicyChain {
  readonly type: ConditionType;
  readonly policies: readonly Policy[];
}

const UNDECIDED: Finding = {
  status: "Unknown",
  reason: REASONS.NotReady,
  message: "Not decided yet.",
};

/** The first policy that speaks decides (after cert-manager's internal/controller/certificates/policies). */
export function evaluate(
  { policies }: PolicyChain,
  inputs: HealthInputs,
  decided: Findings,
): Finding {
  for (const policy of policies) {
    const finding = policy(inputs, decided);
    if (finding !== undefined) return finding;
  }
  return UNDECIDED;
}

/**
 * Until something is seen in this process, what was recorded before it stands, for a bounded time. What was not known
 * then says nothing now: it may be why the Link as it was then was refused.
 */
export function recordedStands(type: ConditionType): Policy {
  return ({ nowMs, recorded }) => {
    if (recorded === undefined) return undefined;
    const untilMs = type === "GatewayHealthy" ? recorded.gatewayUntilMs : recorded.apiUntilMs;
    const before = recorded.verdicts.find((verdict) => verdict.type === type);
    if (before === undefined || before.status === "Unknown" || nowMs >= untilMs) return undefined;
    const { status, reason, message } = before;
    return { status, reason, message, held: true };
  };
}

export function good(reason: string, message: string): Finding {
  return { status: "True", reason, message };
}

export function bad(reason: string, message: string): Finding {
  return { status: "False", reason, message };
}

export function unknown(reason: string, message: string): Finding {
  return { status: "Unknown", reason, message };
}

/** Whether what was last heard of the provider's API may still be relied on. */
export function isFresh({ nowMs, apiStalenessMs, api }: HealthInputs): boolean {
  return api.lastHeardMs !== undefined && nowMs < api.lastHeardMs + apiStalenessMs;
}
