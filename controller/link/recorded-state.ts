import type { Condition, ConditionType } from "../../api/conditions.ts";
import type { LinkSpec, LinkStatus } from "../../api/link.ts";
import type { RecordedInput } from "./health/health-inputs.ts";
import { isOpen } from "./health/health.ts";

/** How long after a restart what was recorded stands in for a provider's API that has not answered. */
const API_HOLD_MS = 10_000;
/** Beyond its timeout: what the first probe of a process may take to get under way. */
const PROBE_HOLD_MARGIN_MS = 1_500;
/** The clocks of two replicas may differ by this much; a time further ahead is no time. */
const CLOCK_SKEW_MS = 60_000;

/** What a Link's status tells a controller that has just begun. */
export interface RecordedState {
  readonly input: RecordedInput | undefined;
  /** When the provider's API was last heard by the record; undefined: it counts for nothing. */
  readonly heardMs: number | undefined;
  /** Since when credentials have been bad by the record. */
  readonly unusableSinceMs: number | undefined;
}

/**
 * Reads the record with bounds that hold whatever is written there: anybody
 * may have written it. A time that is none, or that has yet to come, counts as
 * the beginning of all time, so that what it is about has lasted too long.
 *
 * @param nowMs when this process began with the Link, epoch ms
 */
export function readRecord(status: LinkStatus, spec: LinkSpec, nowMs: number): RecordedState {
  const conditions = status.conditions ?? [];
  const open = isOpen(conditions);
  const input = {
    verdicts: conditions,
    open,
    gatewayUntilMs: nowMs + spec.probe.timeoutSeconds * 1000 + PROBE_HOLD_MARGIN_MS,
    apiUntilMs: nowMs + API_HOLD_MS,
  };
  return {
    input: conditions.length === 0 ? undefined : input,
    // By the record the API was lost then; without one it counts from now on.
    heardMs: open ? (falseSinceMs(conditions, "ApiReachable", nowMs) ?? nowMs) : undefined,
    unusableSinceMs: falseSinceMs(conditions, "CredentialsValid", nowMs),
  };
}

/** Since when a condition has been False; undefined when it is not. */
function falseSinceMs(
  conditions: readonly Condition[],
  type: ConditionType,
  nowMs: number,
): number | undefined {
  const condition = conditions.find((candidate) => candidate.type === type);
  if (condition?.status !== "False") return undefined;
  const sinceMs = Date.parse(condition.lastTransitionTime);
  return Number.isNaN(sinceMs) || sinceMs > nowMs + CLOCK_SKEW_MS ? 0 : Math.min(sinceMs, nowMs);
}
