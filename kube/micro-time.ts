/**
 * A time as `metav1.MicroTime` is written (Leases and Events): RFC 3339 with
 * six digits after the second.
 *
 * @param epochMs milliseconds since the Unix epoch
 */
export function microTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace("Z", "000Z");
}
