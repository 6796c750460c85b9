/**
 * After this much silence on a session's connection TCP probes it, once a
 * second, ten times (as libuv sets it). Finds what no PING can: a dead peer of
 * a session that drains, or of an ingress. Other bounds: gateway/limits.
 */
export const SESSION_KEEP_ALIVE_MS = 5000;
