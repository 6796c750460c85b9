import type { Attempt } from "../../test/workload/caller.ts";
import { FAST_MS, isRefused } from "../refusal.ts";

/** A fault, as the measurement sees it; milliseconds since the epoch. */
export interface Span {
  readonly beganMs: number;
  readonly endedMs: number;
}

/** What clients saw of one fault. */
export interface RefusalOutcome {
  /**
   * From the fault to the first refusal, by the mirror that refused last: the end of the first attempt that was refused
   * or reset and after which all of that mirror were. Undefined while one has not come to that.
   */
  readonly refusedMs: number | undefined;
  /** From the fault to the first refusal by any mirror, whatever came after. */
  readonly firstRefusedMs: number | undefined;
  /** Attempts that no answer and no refusal ended before their client gave up. */
  readonly hung: number;
  /** Attempts that were refused or reset, but later than a second after they were begun. */
  readonly slow: number;
  /** Attempts that were answered although one begun before them, of the same mirror, had been refused. */
  readonly answeredAfterRefusal: number;
}

/**
 * What clients saw of a fault. Pure.
 * @param attempts of several mirrors, told apart by their target, in any order
 */
export function judgeRefusal(
  attempts: readonly Attempt[],
  { beganMs, endedMs }: Span,
): RefusalOutcome {
  const failed = attempts.filter(
    (attempt) =>
      attempt.atMs < endedMs && endOf(attempt) >= beganMs && attempt.status === undefined,
  );
  const mirrors = [...Map.groupBy(attempts, ({ target = 0 }) => target).values()].map((each) =>
    judgeMirror(
      each
        .filter(({ atMs }) => atMs >= beganMs && atMs < endedMs)
        .toSorted((one, other) => one.atMs - other.atMs),
    ),
  );
  const refusedAt = mirrors.map(({ refusedAtMs }) => refusedAtMs);
  const firstAt = Math.min(...mirrors.map(({ firstAtMs }) => firstAtMs));
  return {
    refusedMs: refusedAt.every((at) => at !== undefined)
      ? Math.max(...refusedAt) - beganMs
      : undefined,
    firstRefusedMs: Number.isFinite(firstAt) ? firstAt - beganMs : undefined,
    hung: failed.filter((attempt) => !isRefused(attempt)).length,
    slow: failed.filter((attempt) => isRefused(attempt) && attempt.tookMs > FAST_MS).length,
    answeredAfterRefusal: mirrors.reduce((sum, { answeredAfter }) => sum + answeredAfter, 0),
  };
}

function judgeMirror(attempts: readonly Attempt[]) {
  const lastOther = attempts.findLastIndex((attempt) => !isRefused(attempt));
  const from = attempts[lastOther + 1];
  const firstRefused = attempts.findIndex(isRefused);
  const answeredAfter =
    firstRefused === -1
      ? 0
      : attempts.slice(firstRefused).filter(({ status }) => status !== undefined).length;
  return {
    refusedAtMs: from === undefined ? undefined : endOf(from),
    firstAtMs: Math.min(...attempts.filter(isRefused).map(endOf)),
    answeredAfter,
  };
}

function endOf({ atMs, tookMs }: Attempt): number {
  return atMs + tookMs;
}
