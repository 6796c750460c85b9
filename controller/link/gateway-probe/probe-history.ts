import type { Reason } from "../../../api/reasons.ts";

/** What one probe of a gateway address found. */
export type ProbeResult =
  | { readonly ok: true; readonly rttMs: number }
  | { readonly ok: false; readonly failure: ProbeFailure };

export interface ProbeFailure {
  readonly reason: Reason;
  readonly message: string;
}

export interface ProbeThresholds {
  /** Failed probes in a row after which an address that was up is down. */
  readonly failureThreshold: number;
  /** Good probes in a row after which an address that was down is up. */
  readonly successThreshold: number;
}

/** What the probes of one address so far amount to. */
export interface ProbeHistory {
  /** Unknown until the first probe answered or failed. */
  readonly state: "unknown" | "up" | "down";
  /** Results in a row that speak against `state`. */
  readonly against: number;
  /** Why it is down, or what the last probe of one that is up failed with. */
  readonly failure: ProbeFailure | undefined;
  /** Failures in a row with another reason than `failure` has. */
  readonly otherReasons: number;
  /** When a reopening last took place, in epoch ms. */
  readonly reopenedAtMs: number | undefined;
  /** How often in a row it fell soon after a reopening. */
  readonly flaps: number;
}

export const NO_PROBES: ProbeHistory = {
  state: "unknown",
  against: 0,
  failure: undefined,
  otherReasons: 0,
  reopenedAtMs: undefined,
  flaps: 0,
};

/** An address, or a link, that falls within this time of reopening is flapping. */
export const FLAP_WINDOW_MS = 10_000;
const MAX_FLAPS = 4;

/**
 * The history after one more result. The first result decides at once; later
 * ones move the state only after as many in a row as the thresholds ask. Each
 * fall soon after a reopening doubles what the next reopening needs, at most
 * to 16 times; a fall after a calm time starts anew. So from one fall to the
 * next reopening there are at least successThreshold · 2^flaps probes, from
 * that to the next fall failureThreshold, and no closing ever waits longer.
 */
export function recordProbe(
  history: ProbeHistory,
  result: ProbeResult,
  thresholds: ProbeThresholds,
  nowMs: number,
): ProbeHistory {
  const failure = result.ok ? undefined : result.failure;
  const state = result.ok ? "up" : "down";
  const settled = { ...history, against: 0, otherReasons: 0 };
  if (history.state === "unknown") return { ...settled, state, failure };
  if (history.state === state) {
    return failure === undefined
      ? { ...settled, failure }
      : stillDown(history, failure, thresholds);
  }

  const against = history.against + 1;
  if (state === "up") {
    // Until it is up, what brought it down is the reason.
    if (against < successesNeeded(history, thresholds)) return { ...history, against };
    return { ...settled, state, failure, reopenedAtMs: nowMs };
  }
  if (against < thresholds.failureThreshold) return { ...history, against, failure };
  const flapped =
    history.reopenedAtMs !== undefined && nowMs - history.reopenedAtMs < FLAP_WINDOW_MS;
  const flaps = flapped ? Math.min(history.flaps + 1, MAX_FLAPS) : 0;
  return { ...settled, state, failure, flaps };
}

/** Where probes fail now so, now so, the reason changes only after as many in a row as a fall needs. */
function stillDown(
  history: ProbeHistory,
  failure: ProbeFailure,
  { failureThreshold }: ProbeThresholds,
): ProbeHistory {
  const same = history.failure?.reason === failure.reason;
  const otherReasons = same ? 0 : history.otherReasons + 1;
  return same || otherReasons >= failureThreshold
    ? { ...history, against: 0, otherReasons: 0, failure }
    : { ...history, against: 0, otherReasons };
}

/** Good probes in a row that the next reopening needs. */
export function successesNeeded(history: ProbeHistory, thresholds: ProbeThresholds): number {
  return thresholds.successThreshold * 2 ** history.flaps;
}
