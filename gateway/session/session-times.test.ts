import { expect, test } from "vitest";
import { linkSpecSchema } from "../../api/link.ts";
import { sessionTimesOf } from "./session-times.ts";

const DEFAULT_PROBE = linkSpecSchema.shape.probe.parse(undefined);

/** How long a remote may be silent at most before its session is ended, in ms. */
function silenceMs(probe: Partial<typeof DEFAULT_PROBE>): number {
  const times = sessionTimesOf({ ...DEFAULT_PROBE, ...probe });
  return times.pingIntervalMs + times.pingTimeoutMs;
}

test("by default a remote that says nothing is given up within 3 s", () => {
  expect(silenceMs({})).toBe(3000);
});

test.each([
  [{ failureThreshold: 5 }, 5000],
  [{ periodSeconds: 10 }, 30_000],
  [{ periodSeconds: 10, failureThreshold: 2, timeoutSeconds: 5 }, 20_000],
])("a remote may be silent for failureThreshold periods: %j", (probe, expectedMs) => {
  expect(silenceMs(probe)).toBe(expectedMs);
});

test.each([
  [{ failureThreshold: 1 }, 2000],
  [{ failureThreshold: 2, timeoutSeconds: 4 }, 5000],
])("and a PING has timeoutSeconds for its answer: %j", (probe, expectedMs) => {
  expect(silenceMs(probe)).toBe(expectedMs);
});
