/** A time as RFC 3339 has it, in UTC and to the second. */
export function instant(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/\.\d+Z$/, "Z");
}
