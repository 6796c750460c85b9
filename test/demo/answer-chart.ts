import { begunIn, type RequestRecord, type Span } from "../workload/request-record.ts";

/** Something that was done while the answers were drawn. */
export interface Mark {
  readonly atMs: number;
  readonly text: string;
}

/** What is drawn: who answered, over time. */
export interface AnswerChart extends Span {
  readonly records: readonly RequestRecord[];
  /** In the order in which they are drawn. */
  readonly clusters: readonly string[];
  readonly marks: readonly Mark[];
  /** A stretch without something that people would miss, such as the controller. */
  readonly without: Span & { readonly text: string };
}

/** The name under which requests are counted that nobody answered. */
export const FAILED = "failed";

/** Requests begun in one stretch of time, by who answered. */
export type Bucket = ReadonlyMap<string, number>;

/** The requests of a chart in `count` stretches of equal length. */
export function bucketsOf(chart: AnswerChart, count: number): Bucket[] {
  const widthMs = (chart.toMs - chart.fromMs) / count;
  const buckets = Array.from({ length: count }, () => new Map<string, number>());
  for (const { beganMs, cluster = FAILED } of begunIn(chart.records, chart)) {
    const index = Math.min(count - 1, Math.floor((beganMs - chart.fromMs) / widthMs));
    const bucket = buckets[index];
    bucket?.set(cluster, (bucket.get(cluster) ?? 0) + 1);
  }
  return buckets;
}
