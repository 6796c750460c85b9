import { toKubeTime } from "../../../api/conditions.ts";
import { REASONS } from "../../../api/reasons.ts";
import { DENIAL_GRACE_MS } from "../health/ready-policies.ts";
import type { ApiFailure } from "./api-failure.ts";
import type { Problem } from "../health/health-inputs.ts";

/** A watch may be interrupted for this long before it counts, if the API answers meanwhile. */
export const WATCH_INTERRUPTION_MS = 2_000;

export type TimedFailure = ApiFailure & { readonly sinceMs: number };

/** A denial that was repeated, when first and when last. */
export type StandingDenial = TimedFailure & { readonly lastMs: number };

/**
 * The denial that stands after one more heartbeat. One that was heard for the
 * grace time stands until the provider answers: an API that is lost after it
 * has said no must not count as one that is merely lost. A shorter one may be
 * that of a server that was starting.
 */
export function standingDenial(
  before: StandingDenial | undefined,
  failure: TimedFailure | undefined,
  nowMs: number,
): StandingDenial | undefined {
  if (failure === undefined) return undefined;
  if (failure.kind === "denied") {
    return { ...failure, sinceMs: before?.sinceMs ?? failure.sinceMs, lastMs: nowMs };
  }
  const stands = before !== undefined && before.lastMs - before.sinceMs >= DENIAL_GRACE_MS;
  return stands ? before : undefined;
}

/** What one watch of the provider has shown. */
export interface WatchObservation {
  readonly synced: boolean;
  readonly lastByteAtMs: number | undefined;
  /** Since when, and why, it does not run; undefined while it does. */
  readonly failure: TimedFailure | undefined;
}

/** What a session with the provider's API has shown so far. */
export interface SessionObservation {
  /** A watch silent for longer is no longer believed, whatever its state. */
  readonly staleAfterMs: number;
  /** Why its credentials are of no use, whatever the provider still answers. */
  readonly refused: Problem | undefined;
  /** When a heartbeat was last answered. */
  readonly answeredAtMs: number | undefined;
  /** Why the last heartbeat was not. */
  readonly heartbeatFailure: TimedFailure | undefined;
  /** The provider said no, and has not said yes since. */
  readonly denial: StandingDenial | undefined;
  readonly watches: readonly WatchObservation[];
  /** Namespaces that it may not read though the provider lists them, while others may be read. */
  readonly deniedNamespaces?: readonly string[];
}

export interface SessionVerdict {
  /** Everything was listed, and the provider has said who it is. */
  readonly synced: boolean;
  /** The provider has accepted the credentials. */
  readonly verified: boolean;
  readonly lastHeardMs: number | undefined;
  readonly refused: Problem | undefined;
  /** The provider says no. */
  readonly denial: (Problem & { sinceMs: number }) | undefined;
  /** No usable answer. */
  readonly failure: Problem | undefined;
  readonly deniedNamespaces?: readonly string[];
}

/** What a session's observations amount to at `nowMs`. Pure. */
export function judgeSession(observation: SessionObservation, nowMs: number): SessionVerdict {
  const { answeredAtMs, heartbeatFailure, watches, staleAfterMs, refused, deniedNamespaces } =
    observation;
  const synced = watches.every((watch) => watch.synced) && answeredAtMs !== undefined;
  const watchHeardMs = heardByAll(watches);
  const denied = [observation.denial, ...watches.map(({ failure }) => failure)]
    .filter((failure) => failure !== undefined)
    .filter(({ kind }) => kind === "denied");
  const watchFailure = watches
    .map(({ failure }) => failure)
    .find(
      (failure) =>
        failure?.kind === "lost" && (!synced || nowMs - failure.sinceMs >= WATCH_INTERRUPTION_MS),
    );
  const staleSinceMs =
    synced && watchHeardMs !== undefined && nowMs - watchHeardMs > staleAfterMs
      ? watchHeardMs
      : undefined;
  const heartbeatLost = heartbeatFailure?.kind === "lost" ? heartbeatFailure : undefined;
  const failure =
    heartbeatLost ??
    (watchFailure && problemOfWatch(watchFailure, watchHeardMs, answeredAtMs)) ??
    (staleSinceMs === undefined ? undefined : staleWatch(staleSinceMs));
  // An API that answers while its watches do not run tells nothing of Services.
  const watchesRun = watchFailure === undefined && staleSinceMs === undefined;
  const first = denied[0];
  return {
    synced,
    verified: observation.denial === undefined && answeredAtMs !== undefined,
    lastHeardMs: synced && watchesRun ? latest(answeredAtMs, watchHeardMs) : watchHeardMs,
    refused,
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
    ...(deniedNamespaces && { deniedNamespaces }),
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

/** A watch that gets no answer while other requests do: not the API is lost, but what it would tell. */
function problemOfWatch(
  failure: TimedFailure,
  heardMs: number | undefined,
  answeredAtMs: number | undefined,
): Problem {
  const { reason, message, sinceMs } = failure;
  const answers = answeredAtMs !== undefined && answeredAtMs > sinceMs;
  return heardMs !== undefined && answers && reason === REASONS.ServerUnreachable
    ? staleWatch(heardMs)
    : { reason, message };
}

function staleWatch(sinceMs: number): Problem {
  return {
    reason: REASONS.WatchStale,
    message: `nothing came over the watches of the provider's API since ${toKubeTime(sinceMs)}; check the network between the clusters.`,
  };
}
