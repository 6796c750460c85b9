import { FLAP_WINDOW_MS } from "../gateway-probe/probe-history.ts";

/** How a link opened and closed so far, as far as it decides when it may open again. */
export interface Openings {
  readonly open: boolean;
  /** When it last opened, in epoch ms. */
  readonly openedAtMs: number | undefined;
  /** How often in a row it fell within FLAP_WINDOW_MS of opening. */
  readonly quickFalls: number;
  /** Before then it does not open, in epoch ms. */
  readonly heldUntilMs: number | undefined;
}

export const NO_OPENINGS: Openings = {
  open: false,
  openedAtMs: undefined,
  quickFalls: 0,
  heldUntilMs: undefined,
};

/** Shorter than what an address needs to count as up again by default, so that one fall is just that. */
const FIRST_HOLD_MS = 1_000;
const MAX_QUICK_FALLS = 5;

/**
 * How long a link stays closed after its nth quick fall in a row: 1 s · 2^(n-1),
 * at most 16 s. However it behaves, it opens at most twelve times in a minute.
 */
export function holdMs(quickFalls: number): number {
  if (quickFalls === 0) return 0;
  return FIRST_HOLD_MS * 2 ** (Math.min(quickFalls, MAX_QUICK_FALLS) - 1);
}

/** The history after the link was found open or closed at `nowMs`. A fall after a calm time starts anew. */
export function recordOpening(openings: Openings, open: boolean, nowMs: number): Openings {
  if (openings.open === open) return openings;
  if (open) return { ...openings, open, openedAtMs: nowMs };
  const { openedAtMs } = openings;
  const quick = openedAtMs !== undefined && nowMs - openedAtMs < FLAP_WINDOW_MS;
  const quickFalls = quick ? Math.min(openings.quickFalls + 1, MAX_QUICK_FALLS) : 0;
  return { ...openings, open, quickFalls, heldUntilMs: nowMs + holdMs(quickFalls) };
}
