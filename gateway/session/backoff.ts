import type { Random } from "../../api/clock.ts";
import { backoffDelayMs } from "../../kube/backoff.ts";

const RECONNECT_BASE_MS = 100;
export const RECONNECT_MAX_MS = 5000;

/**
 * How long to wait before the next attempt, in ms: none before the first,
 * doubling after that up to {@link RECONNECT_MAX_MS}, and never less than half
 * of it, so that gateways that lost a peer together do not return together.
 */
export function reconnectDelayMs(failures: number, random: Random): number {
  if (failures === 0) return 0;
  return backoffDelayMs(failures, { baseMs: RECONNECT_BASE_MS, maxMs: RECONNECT_MAX_MS }, random);
}
