import { formatSource, type Source } from "../../../api/ownership.ts";
import type { Target } from "./targets.ts";

/** The target that is chosen, and when that ought to be looked at again. */
export interface Choice {
  readonly target: Target | undefined;
  /** In milliseconds; undefined when only a change can alter the choice. */
  readonly recheckAfterMs?: number;
}

/**
 * The target that a Service fails over to. To something worse at once, as the
 * current one is not healthy; to something better only when that has been
 * healthy for `failbackAfterMs`. With none healthy the current one stays: its
 * egress port is closed, and refuses.
 *
 * @param targets in the order of preference
 * @param healthyForMs for how long a target has been healthy, seen from here
 */
export function chooseTarget(options: {
  targets: readonly Target[];
  current: Source | undefined;
  failbackAfterMs: number;
  healthyForMs: (target: Target) => number;
}): Choice {
  const { targets, current, failbackAfterMs, healthyForMs } = options;
  const index = targets.findIndex(
    ({ source }) => current !== undefined && formatSource(source) === formatSource(current),
  );
  const held = targets[index];
  if (held?.healthy !== true) {
    const usable = targets.filter(({ ports }) => ports.length > 0);
    const isKept = held !== undefined && held.ports.length > 0;
    return { target: targets.find(isHealthy) ?? (isKept ? held : usable[0]) };
  }
  const better = targets.slice(0, index).filter(isHealthy);
  const proven = better.find((target) => healthyForMs(target) >= failbackAfterMs);
  const chosen = proven ?? held;
  const waits = better
    .slice(0, proven === undefined ? better.length : better.indexOf(proven))
    .map((target) => failbackAfterMs - healthyForMs(target));
  return { target: chosen, ...(waits.length > 0 && { recheckAfterMs: Math.min(...waits) }) };
}

function isHealthy({ healthy }: Target): boolean {
  return healthy;
}
