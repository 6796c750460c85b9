import { createColors } from "picocolors";
import { describe, expect, test } from "vitest";
import { formatBytes, formatLatency, notReadSection, timeLeft } from "./table.ts";

const NOW_MS = Date.parse("2026-01-01T00:00:00Z");
const plain = createColors(false);

test.each([
  [undefined, "-"],
  [0.854, "0.85ms"],
  [12.4, "12ms"],
  [999, "999ms"],
  [1340, "1.3s"],
])("a delay of %d ms is shown as %s", (latencyMs, text) => {
  expect(formatLatency(latencyMs)).toBe(text);
});

test.each([
  [undefined, "-"],
  [0, "0B"],
  [1023, "1023B"],
  [1024, "1.0KiB"],
  [1024 ** 2 - 1, "1024KiB"],
  [3_000_000_000, "2.8GiB"],
  [5000 * 1024 ** 4, "5000TiB"],
])("%d bytes are shown as %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

describe("what is left until a time", () => {
  test.each([
    [undefined, "-"],
    ["2026-01-01T01:00:00Z", "60m"],
    ["2026-01-01T00:00:00Z", "expired 0s ago"],
    ["2025-12-30T00:00:00Z", "expired 2d ago"],
  ])("%s is shown as %s", (time, text) => {
    expect(timeLeft(time, NOW_MS, plain)).toBe(text);
  });

  test("is in yellow shortly before it, and in red after it", () => {
    const colors = createColors(true);
    expect(timeLeft("2026-01-01T00:04:00Z", NOW_MS, colors)).toBe(colors.yellow("4m"));
    expect(timeLeft("2025-12-31T23:59:00Z", NOW_MS, colors)).toBe(colors.red("expired 60s ago"));
  });
});

test("what could not be read is listed without control characters", () => {
  expect(notReadSection([], plain)).toBe("");
  expect(notReadSection([{ what: "Peers", why: "no\u001B[2J" }], plain)).toBe(
    "Not read, and left out above:\n  Peers: no\u{FFFD}[2J",
  );
});
