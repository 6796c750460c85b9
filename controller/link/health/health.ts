import {
  CONDITION_TYPES,
  type ConditionStatus,
  type ConditionType,
  toKubeTime,
  type Verdict,
} from "../../../api/conditions.ts";
import { REASONS } from "../../../api/reasons.ts";
import { judgeGateway, judgeTrust } from "./gateway-policy.ts";
import type { HealthInputs, Problem } from "./health-inputs.ts";

/** A 401 or 403 closes a working link once it has lasted this long: API servers say both while they start. */
export const DENIAL_GRACE_MS = 2_000;

/** What was decided so far; a policy sees the verdicts before it. */
type Verdicts = ReadonlyMap<ConditionType, Verdict>;
type Policy = (inputs: HealthInputs, decided: Verdicts) => Verdict;

/** In this order: the API's verdict needs the gateway's, Ready needs all. */
const POLICIES: readonly Policy[] = [
  judgeCredentials,
  ({ trust, gateway }) => judgeTrust(trust, gateway),
  ({ trust, gateway }) => judgeGateway(trust, gateway),
  judgeApi,
  judgeReady,
];

/**
 * The conditions of a link, in the order of CONDITION_TYPES. Pure: the same
 * inputs give the same verdicts. Ready is True only while every input is good,
 * or within the time for which the Link lets it be unknown.
 */
export function assessHealth(inputs: HealthInputs): Verdict[] {
  const decided = new Map<ConditionType, Verdict>();
  for (const policy of POLICIES) {
    const judged = policy(inputs, decided);
    decided.set(judged.type, judged);
  }
  return CONDITION_TYPES.map((type) => heldVerdict(inputs, decided, type));
}

/** The conditions of a Link that is not acted on: its spec or its place among the others is wrong. */
export function refuseLink(problem: Problem): Verdict[] {
  return CONDITION_TYPES.map((type) =>
    verdict(type, type === "Ready" ? "False" : "Unknown", problem.reason, problem.message),
  );
}

/** When, without any news, the verdicts may next change; undefined: never. Epoch ms. */
export function nextDeadlineMs(inputs: HealthInputs): number | undefined {
  const { nowMs, apiStalenessMs, credentials, api, trust, recorded } = inputs;
  const deadlines = [
    api.lastHeardMs === undefined ? undefined : api.lastHeardMs + apiStalenessMs,
    credentials.unusable && credentials.unusable.sinceMs + apiStalenessMs,
    credentials.denial && credentials.denial.sinceMs + DENIAL_GRACE_MS,
    trust.validUntilMs,
    recorded?.gatewayUntilMs,
    recorded?.apiUntilMs,
  ].filter((deadline) => deadline !== undefined && deadline > nowMs);
  return deadlines.length === 0 ? undefined : Math.min(...deadlines.map(Number));
}

function judgeCredentials({ credentials }: HealthInputs): Verdict {
  const { unusable, denial, verified } = credentials;
  const problem = unusable ?? denial;
  if (problem !== undefined) {
    return verdict("CredentialsValid", "False", problem.reason, problem.message);
  }
  return verified
    ? verdict(
        "CredentialsValid",
        "True",
        REASONS.KubeconfigValid,
        "The provider accepts the credentials.",
      )
    : verdict(
        "CredentialsValid",
        "Unknown",
        REASONS.CredentialsUnverified,
        "The provider's API has not judged the credentials yet.",
      );
}

function judgeApi(inputs: HealthInputs, decided: Verdicts): Verdict {
  const { nowMs, apiStalenessMs, api, credentials } = inputs;
  if (api.synced && api.failure === undefined) {
    return verdict("ApiReachable", "True", REASONS.Synced, "The provider's API is being watched.");
  }
  const problem = api.failure;
  if (problem === undefined) {
    const message =
      credentials.unusable === undefined
        ? "The provider's API is being listed."
        : "The provider's API is not asked without usable credentials.";
    return verdict("ApiReachable", "Unknown", REASONS.Connecting, message);
  }
  if (api.lastHeardMs === undefined) {
    return verdict("ApiReachable", "False", problem.reason, problem.message);
  }
  const untilMs = api.lastHeardMs + apiStalenessMs;
  if (nowMs >= untilMs) {
    return verdict(
      "ApiReachable",
      "False",
      REASONS.ApiLostTooLong,
      `Lost for longer than spec.apiStalenessSeconds (${apiStalenessMs / 1000}): ${problem.message}`,
    );
  }
  return decided.get("GatewayHealthy")?.status === "True"
    ? verdict(
        "ApiReachable",
        "False",
        REASONS.ApiLostTolerated,
        `Mirrors stay open while the gateway answers, at most until ${toKubeTime(untilMs)}: ${problem.message}`,
      )
    : verdict("ApiReachable", "False", problem.reason, problem.message);
}

function judgeReady(inputs: HealthInputs, decided: Verdicts): Verdict {
  const blocking = [
    { type: "CredentialsValid" as const, passed: credentialsPass(inputs, decided) },
    { type: "ApiReachable" as const, passed: apiPasses(inputs) },
    { type: "TrustValid" as const, passed: decided.get("TrustValid")?.status === "True" },
    { type: "GatewayHealthy" as const, passed: gatewayPasses(inputs, decided) },
  ].find(({ passed }) => !passed);
  if (blocking === undefined) {
    return verdict("Ready", "True", REASONS.LinkReady, "Mirrors of this link may take traffic.");
  }
  const shown = heldVerdict(inputs, decided, blocking.type);
  const reason = shown.status === "True" ? REASONS.NotReady : shown.reason;
  return { type: "Ready", status: "False", reason, message: `${blocking.type}: ${shown.message}` };
}

function credentialsPass(inputs: HealthInputs, decided: Verdicts): boolean {
  const { nowMs, apiStalenessMs, credentials } = inputs;
  const { unusable, denial } = credentials;
  // What the Secret held before may still serve: it counts as a lost API does.
  if (unusable !== undefined && nowMs >= unusable.sinceMs + apiStalenessMs) return false;
  if (denial !== undefined && nowMs >= denial.sinceMs + DENIAL_GRACE_MS) return false;
  return decided.get("CredentialsValid")?.status === "True" || withinStaleness(inputs);
}

function apiPasses(inputs: HealthInputs): boolean {
  // Lost or not, what was last heard counts only so long; never listed, only if the record says open.
  const known = inputs.api.synced || inputs.recorded?.open === true;
  return known && withinStaleness(inputs);
}

function withinStaleness({ nowMs, apiStalenessMs, api }: HealthInputs): boolean {
  return api.lastHeardMs !== undefined && nowMs < api.lastHeardMs + apiStalenessMs;
}

function gatewayPasses(inputs: HealthInputs, decided: Verdicts): boolean {
  const actual = decided.get("GatewayHealthy");
  if (actual?.status === "True") return true;
  // A Link that was open stays so until the first probe says otherwise, or fails to say anything.
  return (
    inputs.recorded?.open === true &&
    heldVerdict(inputs, decided, "GatewayHealthy").status === "True"
  );
}

/** The verdict, or what was recorded before a restart while the verdict is still Unknown. */
function heldVerdict(inputs: HealthInputs, decided: Verdicts, type: ConditionType): Verdict {
  const { nowMs, recorded } = inputs;
  const actual =
    decided.get(type) ?? verdict(type, "Unknown", REASONS.NotReady, "Not decided yet.");
  if (actual.status !== "Unknown" || recorded === undefined) return actual;
  const untilMs = type === "GatewayHealthy" ? recorded.gatewayUntilMs : recorded.apiUntilMs;
  const before = recorded.verdicts.find((candidate) => candidate.type === type);
  return before !== undefined && nowMs < untilMs ? before : actual;
}

function verdict(
  type: ConditionType,
  status: ConditionStatus,
  reason: string,
  message: string,
): Verdict {
  return { type, status, reason, message };
}
