import { toKubeTime } from "../../../api/conditions.ts";
import { REASONS } from "../../../api/reasons.ts";
import type { ApiFailure } from "./api-failure.ts";
import type { Problem } from "../health/health-inputs.ts";

/** A watch silent for longer is no longer believed, whatever its state: bookmarks come every minute. */
export const WATCH_STALE_MS = 120_000;
/** A watch may be interrupted for this long before it counts, if the API answers meanwhile. */
export const WATCH_INTERRUPTION_MS = 2_000;

export type TimedFailure = ApiFailure & { readonly sinceMs: number };

/** What one watch of the provider has shown. */
export interface WatchObservation {
  readonly synced: boolean;
  readonly lastByteAtMs: number | undefined;
  /** Since when, and why, it does not run; undefined while it does. */
  readonly failure: TimedFailure | undefined;
}

/** What a session with the provider's API has shown so far. */
export interface SessionObservation {
  readonly startedAtMs: number;
  /** When a heartbeat was last answered. */
  readonly answeredAtMs: number | undefined;
  /** Why the last heartbeat was not. */
  readonly heartbeatFailure: TimedFailure | undefined;
  readonly watches: readonly WatchObservation[];
}

export interface SessionVerdict {
  readonly synced: boolean;
  /** The provider has accepted the credentials. */
  readonly verified: boolean;
  readonly lastHeardMs: number | undefined;
  /** The provider says no. */
  readonly denial: (Problem & { sinceMs: number }) | undefined;
  /** No usable answer. */
  readonly failure: Problem | undefined;
}

/** What a session's observations amount to at `nowMs`. Pure. */
export function judgeSession(observation: SessionObservation, nowMs: number): SessionVerdict {
  const { answeredAtMs, heartbeatFailure, watches } = observation;
  const synced = watches.every((watch) => watch.synced);
  const watchHeardMs = heardByAll(watches);
  const failures = [heartbeatFailure, ...watches.map(({ failure }) => failure)].filter(
    (failure) => failure !== undefined,
  );
  const denied = failures.filter(({ kind }) => kind === "denied");
  const watchFailure = watches
    .map(({ failure }) => failure)
    .find(
      (failure) =>
        failure?.kind === "lost" && (!synced || nowMs - failure.sinceMs >= WATCH_INTERRUPTION_MS),
    );
  const staleSinceMs =
    synced && watchHeardMs !== undefined && nowMs - watchHeardMs > WATCH_STALE_MS
      ? watchHeardMs
      : undefined;
  const heartbeatLost = heartbeatFailure?.kind === "lost" ? heartbeatFailure : undefined;
  const failure =
    heartbeatLost ??
    watchFailure ??
    (staleSinceMs === undefined ? undefined : staleWatch(staleSinceMs));
  // An API that answers while its watches do not run tells nothing of Services.
  const watchesRun = watchFailure === undefined && staleSinceMs === undefined;
  const first = denied[0];
  return {
    synced,
    verified: heartbeatFailure?.kind !== "denied" && (answeredAtMs !== undefined || synced),
    lastHeardMs: synced && watchesRun ? latest(answeredAtMs, watchHeardMs) : watchHeardMs,
    denial:
      first === undefined
        ? undefined
        : {
            reason: first.reason,
            message: [...new Set(denied.map(({ message }) => message))].join(" "),
            sinceMs: Math.min(...denied.map(({ sinceMs }) => sinceMs)),
          },
    failure:
      failure === undefined ? undefined : { reason: failure.reason, message: failure.message },
  };
}

/** When all watches had been heard; undefined while one never was. */
function heardByAll(watches: readonly WatchObservation[]): number | undefined {
  const times = watches.map(({ synced, lastByteAtMs }) => (synced ? lastByteAtMs : undefined));
  return times.some((time) => time === undefined)
    ? undefined
    : Math.min(...times.map((time) => time ?? 0));
}

function latest(left: number | undefined, right: number | undefined): number | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return Math.max(left, right);
}

function staleWatch(sinceMs: number): Problem {
  return {
    reason: REASONS.WatchStale,
    message: `nothing came over the watches of the provider's API since ${toKubeTime(sinceMs)}; check the network between the clusters.`,
  };
}
