import { expect, test } from "vitest";
import { isBefore } from "./version-order.ts";

test.each([
  ["0.1.0", "0.2.0", true],
  ["0.2.0", "0.10.0", true],
  ["0.10.0", "0.2.0", false],
  ["1.0.0", "1.0.0", false],
  ["v1.0.0", "1.0.1", true],
  ["1.0.0-rc.1", "1.0.0", true],
  ["1.0.0", "1.0.0-rc.1", false],
  ["1.0.0-rc.1", "1.0.0-rc.2", false],
  ["main", "1.0.0", false],
  ["1.0.0", "main", false],
])("%s comes before %s: %s", (version, other, expected) => {
  expect(isBefore(version, other)).toBe(expected);
});
