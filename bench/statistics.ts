/** What is said of a set of measurements. */
export interface Summary {
  readonly p50: number;
  readonly p99: number;
  readonly runs: number;
}

/**
 * The smallest value that at least `share` (0 to 1) of the values do not exceed (nearest rank).
 * @throws RangeError for no values.
 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].toSorted((a, b) => a - b);
  const rank = Math.min(sorted.length, Math.max(1, Math.ceil(share * sorted.length)));
  const value = sorted[rank - 1];
  if (value === undefined) throw new RangeError("no values to take a quantile of");
  return value;
}

/** Median, 99th percentile and count. */
export function summarize(values: readonly number[]): Summary {
  return { p50: quantile(values, 0.5), p99: quantile(values, 0.99), runs: values.length };
}
