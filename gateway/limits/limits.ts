import { z } from "zod";

/**
 * Every bound of the gateway, each a flag of its own (`maxHandshakes` is
 * `--max-handshakes`), with its default. What happens beyond it is in
 * limit-notes.ts, from which docs/LIMITS.md is made.
 */

const MIB = 1024 * 1024;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

const count = (standard: number) => z.coerce.number().int().min(1).max(1_000_000).default(standard);
const duration = (standardMs: number) =>
  z.coerce.number().int().min(10).max(DAY_MS).default(standardMs);
const bytes = (standard: number, min: number, max: number) =>
  z.coerce.number().int().min(min).max(max).default(standard);

/** RFC 9113 section 6.9.2: what a window has before anything is said about it, and at most. */
export const WINDOW_MIN_BYTES = 65_535;
const WINDOW_MAX_BYTES = 2 ** 31 - 1;
/** A bound of all buffers: a terabyte stands for none. */
const BUFFER_MAX_BYTES = 2 ** 40;

const limitsSchema = z.strictObject({
  maxHandshakes: count(512),
  handshakeTimeoutMs: duration(5000),
  maxSessions: count(4096),
  maxSessionsPerPeer: count(256),
  maxConnections: count(50_000),
  maxStreamsPerPeer: count(20_000),
  maxStreamsPerSession: count(10_000),
  maxConnectionsPerLink: count(20_000),
  maxNewStreamsPerSecond: count(5000),
  maxResetsPerSecond: count(2000),
  maxStreamErrorsPerSecond: count(2000),
  // An authority of ours is at most 140 bytes.
  maxHeaderBytes: bytes(4096, 512, MIB),
  maxHeaderPairs: count(32),
  headerTimeoutMs: duration(15_000),
  // A session of ours sends one a second.
  maxPingsPerSecond: count(100),
  maxSettingsPerSecond: count(20),
  maxPenaltyMs: duration(30_000),
  maxInvalidFramesPerSession: count(1000),
  maxOverheadBytesPerSecond: bytes(MIB, 1024, BUFFER_MAX_BYTES),
  // A consumer that says nothing is given up after 15 s, as TCP keep-alive would do.
  peerPingIntervalMs: duration(5000),
  peerPingTimeoutMs: duration(10_000),
  idleStreamTimeoutMs: z.coerce
    .number()
    .int()
    .min(0)
    .max(30 * DAY_MS)
    .default(60 * MINUTE_MS),
  endpointConnectTimeoutMs: duration(5000),
  // Bandwidth times delay; measured, see docs/benchmarks.md.
  streamWindowBytes: bytes(MIB, WINDOW_MIN_BYTES, WINDOW_MAX_BYTES),
  sessionWindowBytes: bytes(16 * MIB, WINDOW_MIN_BYTES, WINDOW_MAX_BYTES),
  maxWindowBytesPerPeer: bytes(512 * MIB, WINDOW_MIN_BYTES, BUFFER_MAX_BYTES),
  maxSessionMemoryMb: z.coerce.number().int().min(1).max(4096).default(256),
  maxBufferedBytesPerPeer: bytes(192 * MIB, 64 * 1024, BUFFER_MAX_BYTES),
  maxBufferedBytes: bytes(384 * MIB, 64 * 1024, BUFFER_MAX_BYTES),
});

export const gatewayLimitsSchema = limitsSchema.refine(
  ({ headerTimeoutMs, peerPingIntervalMs }) => headerTimeoutMs >= 2 * peerPingIntervalMs,
  {
    path: ["headerTimeoutMs"],
    // An idle session brings nothing but answers to PINGs.
    message: "must be twice --peer-ping-interval-ms at least",
  },
);

/** The bounds of one gateway. Counts, bytes, MB, ms or events a second, as each name says. */
export type GatewayLimits = Readonly<z.infer<typeof gatewayLimitsSchema>>;

export const DEFAULT_GATEWAY_LIMITS: GatewayLimits = gatewayLimitsSchema.parse({});

/** A rate allows a burst of this many seconds' worth. */
export const BURST_SECONDS = 5;

/** The flag of a bound, without dashes. */
export function flagOf(limit: string): string {
  return limit.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Kept for what is not a carried connection: sessions, watches, probes, logs. */
const OTHER_DESCRIPTORS = 1024;

/**
 * The bounds with no more connections than the process has file descriptors
 * for, each connection being one. `maxOpenFiles` is undefined where it cannot
 * be told.
 */
export function fitOpenFiles(
  limits: GatewayLimits,
  maxOpenFiles: number | undefined,
): GatewayLimits {
  if (maxOpenFiles === undefined) return limits;
  const others = OTHER_DESCRIPTORS + Math.min(limits.maxSessions, maxOpenFiles / 4);
  const left = Math.max(Math.floor(maxOpenFiles - others), 64);
  return { ...limits, maxConnections: Math.min(limits.maxConnections, left) };
}
