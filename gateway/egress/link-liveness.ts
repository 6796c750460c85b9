import type { SlotView } from "../session/session-pool.ts";

/** Whether a link's listeners are open. `wasUp`: they have been before. */
export interface Liveness {
  readonly up: boolean;
  readonly wasUp: boolean;
}

/** Unknown is closed. */
export const UNKNOWN_LIVENESS: Liveness = { up: false, wasUp: false };

/**
 * Whether a link is up, from its sessions alone (no controller takes part). It
 * stays up while any session is live, or is being replaced because the remote
 * drains; with none left it is down at once. It comes up with the first
 * answered PING, and after an outage only when one session has answered
 * `successThreshold` of them.
 */
export function decideLiveness(
  previous: Liveness,
  slots: readonly SlotView[],
  options: { successThreshold: number },
): Liveness {
  if (previous.up) {
    const up = slots.some(({ state }) => state === "live" || state === "replacing");
    return up ? previous : { up: false, wasUp: true };
  }
  const needed = previous.wasUp ? options.successThreshold : 1;
  const up = slots.some(({ state, answeredPings }) => state === "live" && answeredPings >= needed);
  return up ? { up: true, wasUp: true } : previous;
}
