import { InvalidArgumentError } from "commander";
import { readDurationMs } from "../../api/duration.ts";

/**
 * Milliseconds of a duration as kubectl takes it: `90s`, `2m`, `1m30s`.
 * @throws InvalidArgumentError for anything else.
 */
export function parseDurationMs(text: string): number {
  const durationMs = readDurationMs(text);
  if (durationMs !== undefined) return durationMs;
  throw new InvalidArgumentError("Use a number with ms, s, m or h, such as 90s or 2m.");
}

/** A span of time in its largest whole unit, as kubectl shows ages: `42s`, `5m`, `3h`, `12d`. */
export function formatAge(durationMs: number): string {
  const seconds = Math.max(0, Math.floor(durationMs / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
