/** A signal that follows `signal` and aborts by itself after `timeoutMs`. */
export interface TimeoutSignal {
  readonly signal: AbortSignal;
  /** Whether the time, not the caller, ended it. */
  timedOut(): boolean;
  /** Lets go of the timer and of the caller's signal; call it when done. */
  dispose(): void;
}

/**
 * Bounds an operation in time. AbortSignal.any and AbortSignal.timeout would
 * keep a listener on a process-long signal for every request made.
 */
export function withTimeout(signal: AbortSignal | undefined, timeoutMs: number): TimeoutSignal {
  const controller = new AbortController();
  let timedOut = false;
  const follow = (): void => controller.abort(signal?.reason);
  const timer = setTimeout(() => {
    timedOut = true;
    controller.abort(new DOMException(`took longer than ${timeoutMs} ms`, "TimeoutError"));
  }, timeoutMs);
  if (signal?.aborted === true) follow();
  else signal?.addEventListener("abort", follow, { once: true });
  return {
    signal: controller.signal,
    timedOut: () => timedOut,
    dispose: () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", follow);
    },
  };
}
