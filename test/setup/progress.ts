const terminalTickMs = 1000;
const plainTickMs = 30_000;

/** Where progress is written; standard output in practice. */
export interface ProgressSink {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** A length of time as `1:05`, in minutes and seconds. */
export function minutesAndSeconds(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/**
 * Shows a task as running, with its time, until it ends: one line rewritten every second on a terminal, elsewhere a
 * line at the start, every 30 s and at the end.
 */
export async function withProgress<T>(
  sink: ProgressSink,
  title: string,
  task: () => Promise<T>,
): Promise<T> {
  const startedMs = performance.now();
  const line = (state: string) =>
    `set-up: ${title} ${state} ${minutesAndSeconds(performance.now() - startedMs)}`;
  const clear = sink.isTTY ? "\r\u001B[K" : "";
  const lineEnd = sink.isTTY ? "" : "\n";
  const tick = () => sink.write(`${clear}${line("…")}${lineEnd}`);
  tick();
  const timer = setInterval(tick, sink.isTTY ? terminalTickMs : plainTickMs);
  let outcome = "failed after";
  try {
    const result = await task();
    outcome = "done in";
    return result;
  } finally {
    clearInterval(timer);
    sink.write(`${clear}${line(outcome)}\n`);
  }
}
