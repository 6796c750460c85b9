import { type Clock, systemClock } from "../../api/clock.ts";

/** How much faster than the machine's clock a {@link hurriedClock} goes. */
export const HURRY = 4;

const startedAtMs = systemClock.nowMs();

/**
 * A clock that goes faster, for a controller whose periods, back-offs and grace times a test would only sit out. What is
 * bounded by the machine's clock stays as it is: how long an answer is waited for. All tests of a file share it, since
 * what a controller has written is read by the next.
 */
export const hurriedClock: Clock = {
  nowMs: () => Math.floor(startedAtMs + (systemClock.nowMs() - startedAtMs) * HURRY),
  sleep: async (durationMs, signal) => await systemClock.sleep(durationMs / HURRY, signal),
};

/**
 * For a controller of which it does not matter how long it waits: pauses of a hurried clock, and requests
 * that end sooner. A heartbeat keeps its time: on a busy machine one that is late must not look like a lost API.
 */
export const HURRIED = {
  clock: hurriedClock,
  providerTimeouts: { heartbeatMs: 3_000, requestMs: 4_000 },
};
