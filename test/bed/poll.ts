import { setTimeout as sleep } from "node:timers/promises";

/** How long and how often to try. */
export interface PollOptions {
  readonly timeoutMs: number;
  /** Pause between tries in milliseconds; 50 by default. */
  readonly intervalMs?: number;
  readonly signal?: AbortSignal | undefined;
}

const defaultIntervalMs = 50;

/**
 * Tries until the attempt yields something other than undefined or false, and returns that. An attempt that throws
 * counts as not yet, unless the error is a {@link HopelessError}.
 * @throws Error saying what was awaited and what was last seen, when the time is over; the signal's reason on abort.
 */
export async function poll<T>(
  awaited: string,
  attempt: () => T | undefined | false | Promise<T | undefined | false>,
  { timeoutMs, intervalMs = defaultIntervalMs, signal }: PollOptions,
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    signal?.throwIfAborted();
    try {
      const value = await attempt();
      if (value !== undefined && value !== false) return value;
      last = value;
    } catch (error) {
      if (error instanceof HopelessError) throw error;
      last = error instanceof Error ? error.message : error;
    }
    if (performance.now() >= deadlineMs) {
      throw new Error(`not within ${timeoutMs / 1000} s: ${awaited}; last seen: ${String(last)}`);
    }
    await sleep(intervalMs, undefined, signal ? { signal } : {});
  }
}

/** Thrown by an attempt that no further try can save. */
export class HopelessError extends Error {
  override name = "HopelessError";
}
