import type { Attempt } from "./caller.ts";

/** One request over a connection of its own, and what came of it. Times are milliseconds since the epoch. */
export interface RequestRecord {
  readonly beganMs: number;
  readonly endedMs: number;
  /** Who answered; undefined when nobody did. */
  readonly cluster: string | undefined;
  /** Why nobody did: ECONNREFUSED, ETIMEDOUT, HTTP503, … */
  readonly failure: string | undefined;
}

/** A stretch of time in milliseconds since the epoch, the end excluded. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Time without an answer. */
export interface Gap {
  readonly gapMs: number;
  /** When it began. */
  readonly fromMs: number;
}

const GREETING = /^hello from (\S+)\s*$/;

/** What a caller's attempt was: an answer of a web server that says where it runs, or a failure. */
export function recordOf({ atMs, tookMs, status, body, code }: Attempt): RequestRecord {
  const cluster = status === 200 ? GREETING.exec(body ?? "")?.[1] : undefined;
  return {
    beganMs: atMs,
    endedMs: atMs + tookMs,
    cluster,
    failure: cluster === undefined ? (code ?? `HTTP${status ?? ""}`) : undefined,
  };
}

/** The requests begun in a span, in the order in which they were begun. */
export function begunIn(
  records: readonly RequestRecord[],
  { fromMs, toMs }: Span,
): RequestRecord[] {
  return records
    .filter(({ beganMs }) => beganMs >= fromMs && beganMs < toMs)
    .toSorted((one, other) => one.beganMs - other.beganMs);
}

/** The requests of a span that nobody answered. */
export function failuresIn(records: readonly RequestRecord[], span: Span): RequestRecord[] {
  return begunIn(records, span).filter(({ failure }) => failure !== undefined);
}

/**
 * The longest time in which no answer came, as far as it lies in the span: from one answer, or the span's begin, to
 * the next, or the span's end.
 */
export function longestGap(records: readonly RequestRecord[], { fromMs, toMs }: Span): Gap {
  const answeredMs = records
    .filter(({ cluster, endedMs }) => cluster !== undefined && endedMs > fromMs && endedMs < toMs)
    .map(({ endedMs }) => endedMs)
    .toSorted((one, other) => one - other);
  const gaps = [...answeredMs, toMs].map((endMs, index): Gap => {
    const beganMs = answeredMs[index - 1] ?? fromMs;
    return { gapMs: endMs - beganMs, fromMs: beganMs };
  });
  return gaps.reduce((longest, gap) => (gap.gapMs > longest.gapMs ? gap : longest));
}

/** When the first answer of a cluster came to a request begun at or after a time; undefined when none did. */
export function firstAnswerMs(
  records: readonly RequestRecord[],
  cluster: string,
  sinceMs: number,
): number | undefined {
  const ends = records
    .filter((record) => record.cluster === cluster && record.beganMs >= sinceMs)
    .map(({ endedMs }) => endedMs);
  return ends.length === 0 ? undefined : Math.min(...ends);
}
