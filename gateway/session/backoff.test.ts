import * as fc from "fast-check";
import { expect, test } from "vitest";
import { RECONNECT_MAX_MS, reconnectDelayMs } from "./backoff.ts";

test("the first attempt comes at once, later ones with growing delays up to a bound", () => {
  const delays = [0, 1, 2, 3, 4, 5, 6, 7, 8, 100].map((failures) =>
    reconnectDelayMs(failures, () => 1),
  );
  expect(delays).toEqual([0, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
});

test("jitter never makes a delay longer than the bound or shorter than half of it", () => {
  fc.assert(
    fc.property(fc.nat(1000), fc.double({ min: 0, max: 1, noNaN: true }), (failures, random) => {
      const longestMs = reconnectDelayMs(failures, () => 1);
      const delayMs = reconnectDelayMs(failures, () => random);
      expect(delayMs).toBeLessThanOrEqual(RECONNECT_MAX_MS);
      expect(delayMs).toBeGreaterThanOrEqual(longestMs / 2);
    }),
  );
});
