import { type Http2Session, constants } from "node:http2";
import type { Bound } from "./bound-reports.ts";
import { BURST_SECONDS, type GatewayLimits } from "./limits.ts";
import { TokenBucket } from "./token-bucket.ts";

/** A session was ended because its remote went beyond a bound; `code` is a metric label, as node's own errors have one. */
class BoundCrossedError extends Error {
  override readonly name = "BoundCrossedError";
  readonly code: Bound;

  constructor(bound: Bound) {
    super(`the remote went beyond the bound ${bound}`);
    this.code = bound;
  }
}

/** Ends a session and resets its streams, and tells the remote to calm down (RFC 9113 section 7). */
export function endForBound(session: Http2Session, bound: Bound): void {
  // Without an error its streams would end as if in order.
  session.destroy(new BoundCrossedError(bound), constants.NGHTTP2_ENHANCE_YOUR_CALM);
}

/** What both roles give to their sessions: what node:http2 itself bounds. */
export function sessionOptions(limits: GatewayLimits) {
  return {
    maxHeaderListPairs: limits.maxHeaderPairs,
    maxSessionMemory: limits.maxSessionMemoryMb,
    maxSessionInvalidFrames: limits.maxInvalidFramesPerSession,
    // Node ends a session after 100 streams that it had no memory for: an honest remote tries again.
    maxSessionRejectedStreams: limits.maxStreamsPerSession,
  };
}

/** What both roles say in their SETTINGS. */
export function sessionSettings(limits: GatewayLimits) {
  return {
    initialWindowSize: limits.streamWindowBytes,
    maxHeaderListSize: limits.maxHeaderBytes,
  };
}

/**
 * Ends a session that brings more PING or SETTINGS frames than its rate
 * allows (CVE-2019-9512, CVE-2019-9515), and tells which bound of node:http2
 * ended one. `onCrossed` is called once for each.
 */
export function guardFrames(
  session: Http2Session,
  options: { limits: GatewayLimits; nowMs: () => number; onCrossed: (bound: Bound) => void },
): void {
  const { limits, nowMs, onCrossed } = options;
  const limit = (event: "ping" | "remoteSettings", bound: Bound, perSecond: number) => {
    const bucket = new TokenBucket({ perSecond, burst: perSecond * BURST_SECONDS, nowMs });
    session.on(event, () => {
      if (session.destroyed || bucket.take()) return;
      endForBound(session, bound);
    });
  };
  limit("ping", "Pings", limits.maxPingsPerSecond);
  limit("remoteSettings", "Settings", limits.maxSettingsPerSecond);
  session.once("error", (error: NodeJS.ErrnoException) => {
    if (error instanceof BoundCrossedError) onCrossed(error.code);
    else if (error.code === "ERR_HTTP2_TOO_MANY_INVALID_FRAMES") onCrossed("InvalidFrames");
    // Of nghttp2: what breaks the protocol, and the floods that it counts itself.
    else if (error.code === "ERR_HTTP2_ERROR") onCrossed("Protocol");
  });
}
