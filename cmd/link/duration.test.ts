import { describe, expect, test } from "vitest";
import { formatAge, parseDurationMs } from "./duration.ts";

describe("a duration on the command line", () => {
  test.each([
    ["90s", 90_000],
    ["2m", 120_000],
    ["1m30s", 90_000],
    ["250ms", 250],
    ["1h", 3_600_000],
    ["0s", 0],
  ])("%s is %d ms", (text, durationMs) => {
    expect(parseDurationMs(text)).toBe(durationMs);
  });

  test.each(["", "90", "s", "-5s", "1.5m", "2 m", "1d"])("refuses '%s'", (text) => {
    expect(() => parseDurationMs(text)).toThrow("such as 90s or 2m");
  });
});

test.each([
  [-5, "0s"],
  [42_900, "42s"],
  [119_999, "119s"],
  [120_000, "2m"],
  [2 * 3_600_000, "2h"],
  [48 * 3_600_000, "2d"],
])("an age of %d ms is shown as %s", (ageMs, text) => {
  expect(formatAge(ageMs)).toBe(text);
});
