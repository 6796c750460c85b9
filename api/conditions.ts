/** Condition types of a Link, in the order in which they are shown. */
export const CONDITION_TYPES = [
  "CredentialsValid",
  "ApiReachable",
  "TrustValid",
  "GatewayHealthy",
  "Ready",
] as const;

export type ConditionType = (typeof CONDITION_TYPES)[number];
export type ConditionStatus = "True" | "False" | "Unknown";

/**
 * A condition as `metav1.Condition` defines it.
 * https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.35/#condition-v1-meta
 */
export interface Condition {
  type: ConditionType;
  status: ConditionStatus;
  reason: string;
  message: string;
  observedGeneration?: number;
  lastTransitionTime: string;
}

/** What a policy says of one condition; the time of the transition is added on writing. */
export type Verdict = Pick<Condition, "type" | "status" | "reason" | "message">;

/**
 * The conditions after `verdicts` were given: the transition time moves only
 * when the status does, as the API conventions ask.
 */
export function mergeConditions(
  previous: readonly Condition[],
  verdicts: readonly Verdict[],
  observedGeneration: number,
  nowMs: number,
): Condition[] {
  return verdicts.map((verdict) => {
    const before = previous.find(({ type }) => type === verdict.type);
    const unchanged = before?.status === verdict.status;
    const lastTransitionTime = unchanged ? before.lastTransitionTime : toKubeTime(nowMs);
    return { ...verdict, observedGeneration, lastTransitionTime };
  });
}

/** RFC 3339 in whole seconds, as `metav1.Time` is written. */
export function toKubeTime(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}
