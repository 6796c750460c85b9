import type { Random } from "../api/clock.ts";

/** Bounds of an exponential backoff, in milliseconds. */
export interface BackoffLimits {
  baseMs: number;
  maxMs: number;
}

/**
 * Delay before the next try: doubles with each failure up to the maximum, and
 * half of it is random so that many clients do not return together.
 *
 * @param failures failures in a row, at least 1
 */
export function backoffDelayMs(failures: number, limits: BackoffLimits, random: Random): number {
  const ceilingMs = Math.min(limits.maxMs, limits.baseMs * 2 ** Math.min(failures - 1, 30));
  return Math.round(ceilingMs * (0.5 + random() / 2));
}
