import type { Random } from "../../api/clock.ts";

const RECONNECT_BASE_MS = 100;
export const RECONNECT_MAX_MS = 5000;

/**
 * How long to wait before the next attempt, in ms: none before the first,
 * doubling after that up to {@link RECONNECT_MAX_MS}, and never less than half
 * of it, so that gateways that lost a peer together do not return together.
 */
export function reconnectDelayMs(failures: number, random: Random): number {
  if (failures === 0) return 0;
  const ceilingMs = Math.min(RECONNECT_MAX_MS, RECONNECT_BASE_MS * 2 ** (failures - 1));
  return ceilingMs * (0.5 + random() / 2);
}
