import type { SlotView } from "../session/session-pool.ts";

/** Whether a link's own sessions are up, and what its past asks of its next opening. */
export interface Liveness {
  readonly up: boolean;
  /** It has been up before. */
  readonly wasUp: boolean;
  /** When it last came up again after an outage, in epoch ms. */
  readonly reopenedAtMs: number | undefined;
  /** How often in a row it fell within FLAP_WINDOW_MS of coming up again. */
  readonly flaps: number;
}

/** Unknown is closed. */
export const UNKNOWN_LIVENESS: Liveness = {
  up: false,
  wasUp: false,
  reopenedAtMs: undefined,
  flaps: 0,
};

/** A link that falls within this time of coming up again is flapping. */
export const FLAP_WINDOW_MS = 10_000;
/** By default a link that flaps stays closed for 1, 3, 7, 15 and then 31 s each time. */
const MAX_FLAPS = 4;

/**
 * Whether a link is up, from its sessions alone (no controller takes part). It
 * stays up while any session is live, or is being replaced because the remote
 * drains; with none left it is down at once. It comes up with the first
 * answered PING, and after an outage only when one session has answered
 * `successThreshold` of them; each fall soon after an outage doubles that.
 */
export function decideLiveness(
  previous: Liveness,
  slots: readonly SlotView[],
  { successThreshold, nowMs }: { successThreshold: number; nowMs: number },
): Liveness {
  if (previous.up) {
    if (slots.some(({ state }) => state === "live" || state === "replacing")) return previous;
    const { reopenedAtMs } = previous;
    const flapped = reopenedAtMs !== undefined && nowMs - reopenedAtMs < FLAP_WINDOW_MS;
    const flaps = flapped ? Math.min(previous.flaps + 1, MAX_FLAPS) : 0;
    return { ...previous, up: false, flaps };
  }
  const needed = previous.wasUp ? successThreshold * 2 ** previous.flaps : 1;
  if (!slots.some(({ state, answeredPings }) => state === "live" && answeredPings >= needed)) {
    return previous;
  }
  const reopenedAtMs = previous.wasUp ? nowMs : undefined;
  return { ...previous, up: true, wasUp: true, reopenedAtMs };
}
