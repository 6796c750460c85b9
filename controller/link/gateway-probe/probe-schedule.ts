import type { Random } from "../../../api/clock.ts";
import type { LinkSpec } from "../../../api/link.ts";

export type ProbeSettings = LinkSpec["probe"];

/** By which a period is shortened at most, so that the probes of many links spread out. */
const JITTER = 0.2;

/**
 * How long to wait after a probe that took `spentMs`. Jitter only shortens the
 * period, and a probe that took as long as a period is followed by the next at
 * once: what {@link closingBoundMs} promises rests on both.
 */
export function pauseAfterProbeMs(
  { periodSeconds }: Pick<ProbeSettings, "periodSeconds">,
  spentMs: number,
  random: Random,
): number {
  return Math.max(0, periodSeconds * 1000 * (1 - JITTER * random()) - spentMs);
}

/**
 * The longest time from when an address that is up stops answering until it
 * counts as down: one period until it is asked, then failureThreshold probes
 * that each run into their timeout. 4 s with the defaults.
 */
export function closingBoundMs(settings: ProbeSettings): number {
  const { periodSeconds, timeoutSeconds, failureThreshold } = settings;
  return 1000 * (periodSeconds + failureThreshold * Math.max(periodSeconds, timeoutSeconds));
}
