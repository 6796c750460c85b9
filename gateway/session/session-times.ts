import type { LinkSpec } from "../../api/link.ts";

/** Times of a session, all in ms. */
export interface SessionTimes {
  connectTimeoutMs: number;
  pingIntervalMs: number;
  /** An unanswered PING ends the session after this long. */
  pingTimeoutMs: number;
  /** How long the remote may take to answer a CONNECT. */
  openTimeoutMs: number;
}

const CONNECT_TIMEOUT_MS = 3000;
/** The ingress gives two endpoints 5 s each. */
const OPEN_TIMEOUT_MS = 12_000;

/**
 * A Link's probe settings as times of the egress' own sessions: a PING each
 * `periodSeconds`, and a session is dead after `failureThreshold` periods
 * without a byte, as an address is after that many failed probes; a PING has
 * at least `timeoutSeconds` for its answer. By default death is found within
 * 1 + 2 = 3 s. (TCP keep-alive ends a session after 15 s, whatever they say.)
 */
export function sessionTimesOf(probe: LinkSpec["probe"]): SessionTimes {
  const { periodSeconds, timeoutSeconds, failureThreshold } = probe;
  const silentSeconds = (failureThreshold - 1) * periodSeconds;
  return {
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    pingIntervalMs: 1000 * periodSeconds,
    pingTimeoutMs: 1000 * Math.max(silentSeconds, timeoutSeconds),
    openTimeoutMs: OPEN_TIMEOUT_MS,
  };
}
