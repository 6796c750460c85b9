const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const MAX_CHARS = 64;

/** Milliseconds of a duration as kubectl takes it (`90s`, `2m`, `1m30s`); undefined for anything else. */
export function readDurationMs(text: string): number | undefined {
  if (text.length > MAX_CHARS || !/^(\d+(ms|s|m|h))+$/.test(text)) return undefined;
  let totalMs = 0;
  for (const [, number, unit] of text.matchAll(/(\d+)(ms|s|m|h)/g)) {
    totalMs += Number(number) * (UNITS_MS[unit ?? ""] ?? 0);
  }
  return totalMs;
}
