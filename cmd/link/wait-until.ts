import type { Clock } from "../../api/clock.ts";
import { CliError, EXIT_CODES } from "./cli-error.ts";

/** What a look at the cluster found: the thing awaited, or why it is not there yet. */
export type Sighting<T> = { readonly found: T } | { readonly missing: string };

export interface WaitOptions {
  clock: Clock;
  signal: AbortSignal;
  timeoutMs: number;
  intervalMs?: number;
  /** Told what is missing, each time that changes. */
  onMissing?: (missing: string) => void;
  fix?: string;
}

const DEFAULT_INTERVAL_MS = 300;

/**
 * Looks until what is awaited is there.
 * @throws CliError (not ready) naming what was missing last, when the time is over;
 * the signal's reason when it aborts; whatever `look` throws.
 */
export async function waitUntil<T>(
  awaited: string,
  look: () => Promise<Sighting<T>>,
  { clock, signal, timeoutMs, intervalMs = DEFAULT_INTERVAL_MS, onMissing, fix }: WaitOptions,
): Promise<T> {
  const deadlineMs = clock.nowMs() + timeoutMs;
  let last: string | undefined;
  for (;;) {
    signal.throwIfAborted();
    const sighting = await look();
    if ("found" in sighting) return sighting.found;
    if (sighting.missing !== last) onMissing?.(sighting.missing);
    last = sighting.missing;
    if (clock.nowMs() >= deadlineMs) {
      throw new CliError(`${awaited} not ready within ${Math.round(timeoutMs / 1000)} s: ${last}`, {
        exitCode: EXIT_CODES.notReady,
        fix,
      });
    }
    await clock.sleep(intervalMs, signal);
  }
}
