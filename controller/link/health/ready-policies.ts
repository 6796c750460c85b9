import { type ConditionType, toKubeTime } from "../../../api/conditions.ts";
import { REASONS } from "../../../api/reasons.ts";
import {
  bad,
  type Finding,
  type Findings,
  good,
  isFresh,
  type Policy,
  type PolicyChain,
  unknown,
} from "./policy.ts";
import type { HealthInputs } from "./health-inputs.ts";

/** A 401 or 403 closes a working link once it has lasted this long: API servers say both while they start. */
export const DENIAL_GRACE_MS = 2_000;

/** Last: one policy for each thing that closes a link. */
export const READY: PolicyChain = {
  type: "Ready",
  policies: [
    notLeading,
    credentialsRefused,
    credentialsUnusable,
    credentialsDenied,
    credentialsUnverified,
    apiNeverListed,
    apiStale,
    trustBroken,
    gatewayDown,
    flapping,
    () => good(REASONS.LinkReady, "Mirrors of this link may take traffic."),
  ],
};

function notLeading({ leading }: HealthInputs): ReturnType<Policy> {
  if (leading) return undefined;
  return unknown(
    REASONS.NotLeader,
    "This replica of the controller does not lead; what it knows may be old.",
  );
}

function credentialsRefused(inputs: HealthInputs, decided: Findings): ReturnType<Policy> {
  return inputs.credentials.refused && blockedBy("CredentialsValid", inputs, decided);
}

/** What the Secret held before may still serve: it counts as a lost API does. */
function credentialsUnusable(inputs: HealthInputs, decided: Findings): ReturnType<Policy> {
  const { nowMs, apiStalenessMs, credentials } = inputs;
  const { unusable } = credentials;
  if (unusable === undefined || nowMs < unusable.sinceMs + apiStalenessMs) return undefined;
  return blockedBy("CredentialsValid", inputs, decided);
}

function credentialsDenied(inputs: HealthInputs, decided: Findings): ReturnType<Policy> {
  const { denial } = inputs.credentials;
  if (denial === undefined || inputs.nowMs < denial.sinceMs + DENIAL_GRACE_MS) return undefined;
  return blockedBy("CredentialsValid", inputs, decided);
}

function credentialsUnverified(inputs: HealthInputs, decided: Findings): ReturnType<Policy> {
  if (decided.get("CredentialsValid")?.status === "True" || isFresh(inputs)) return undefined;
  return blockedBy("CredentialsValid", inputs, decided);
}

/** Nothing is known of the provider's Services, unless a record of before a restart says open. */
function apiNeverListed(inputs: HealthInputs, decided: Findings): ReturnType<Policy> {
  if (inputs.api.synced || inputs.recorded?.open === true) return undefined;
  return blockedBy("ApiReachable", inputs, decided);
}

/** Lost or not, what was last heard counts only so long. */
function apiStale(inputs: HealthInputs, decided: Findings): ReturnType<Policy> {
  return isFresh(inputs) ? undefined : blockedBy("ApiReachable", inputs, decided);
}

function trustBroken(inputs: HealthInputs, decided: Findings): ReturnType<Policy> {
  if (decided.get("TrustValid")?.status === "True") return undefined;
  return blockedBy("TrustValid", inputs, decided);
}

/** A Link that was open stays so until the first probe says otherwise, or fails to say anything. */
function gatewayDown(inputs: HealthInputs, decided: Findings): ReturnType<Policy> {
  const finding = decided.get("GatewayHealthy");
  const mayHold = finding?.held !== true || inputs.recorded?.open === true;
  if (finding?.status === "True" && mayHold) return undefined;
  return blockedBy("GatewayHealthy", inputs, decided);
}

/** Delays an opening, never a closing: all that closes a link comes before. */
function flapping({ nowMs, openings }: HealthInputs): ReturnType<Policy> {
  const { heldUntilMs, quickFalls } = openings;
  if (heldUntilMs === undefined || nowMs >= heldUntilMs) return undefined;
  return bad(
    REASONS.Flapping,
    `Everything is good, but the link fell soon after it had opened, ${quickFalls} times in a row; it opens at ${toKubeTime(heldUntilMs)} if nothing else happens.`,
  );
}

/** Ready is False for the sake of another condition. */
function blockedBy(type: ConditionType, { recorded }: HealthInputs, decided: Findings): Finding {
  const cause = decided.get(type);
  const before = recorded?.verdicts.find((verdict) => verdict.type === "Ready");
  // Closed by the record, and nothing is known yet that would say it otherwise.
  if (cause?.held === true && cause.status === "True" && before?.status === "False") {
    return { ...bad(before.reason, before.message), held: true };
  }
  const reason = cause === undefined || cause.status === "True" ? REASONS.NotReady : cause.reason;
  return bad(reason, `${type}: ${cause?.message ?? "unknown"}`);
}
