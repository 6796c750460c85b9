/**
 * HTTP/2 windows: bandwidth times delay. One stream fills 1 MiB per round
 * trip, all streams of a session together 16 MiB (measured: docs/design).
 */
export const STREAM_WINDOW_BYTES = 1024 * 1024;
export const SESSION_WINDOW_BYTES = 16 * 1024 * 1024;

/** Memory of one session, in MB as node:http2 counts it, beyond which new streams are refused. */
export const SESSION_MEMORY_MB = 256;

/** Bytes of the headers of one request; an authority of ours is at most 140. */
export const HEADER_LIST_BYTES = 4096;
export const HEADER_PAIRS = 32;

/** Streams a consumer may have open in one session. */
export const STREAMS_PER_SESSION = 10_000;

/**
 * RST_STREAM frames that a session may bring: in a burst, and per second in
 * the long run (CVE-2023-44487). Every client that resets, and every refused
 * one, is such a frame: node's default of 33 a second would end honest sessions.
 */
export const STREAM_RESET_BURST = 10_000;
export const STREAM_RESETS_PER_SECOND = 2000;

/**
 * After this much silence on a session's connection TCP probes it, once a
 * second, ten times (as libuv sets it). Finds what no PING can: a dead peer of
 * a session that drains, or of an ingress.
 */
export const SESSION_KEEP_ALIVE_MS = 5000;
