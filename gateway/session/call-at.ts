/** A wall clock may be set, and node's timers end at 24 days: the time is looked at again this often. */
const RECHECK_MS = 60_000;

/** Calls `onDue` once the clock has reached `atMs`, an epoch in ms, at once when it has. Returns a stop function. */
export function callAt(atMs: number, nowMs: () => number, onDue: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const look = () => {
    const leftMs = atMs - nowMs();
    if (leftMs > 0) timer = setTimeout(look, Math.min(leftMs, RECHECK_MS)).unref();
    else onDue();
  };
  look();
  return () => clearTimeout(timer);
}
