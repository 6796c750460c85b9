import { expect, it } from "vitest";
import { mergeConditions, type Verdict } from "./conditions.ts";

const ready: Verdict = { type: "Ready", status: "True", reason: "LinkReady", message: "open" };

it("moves the transition time only when the status changes", () => {
  const first = mergeConditions([], [ready], 1, 0);
  const sameStatus = mergeConditions(first, [{ ...ready, message: "still open" }], 2, 60_000);
  const turned = mergeConditions(
    sameStatus,
    [{ ...ready, status: "False", reason: "NotReady" }],
    2,
    120_000,
  );

  expect(first[0]?.lastTransitionTime).toBe("1970-01-01T00:00:00Z");
  expect(sameStatus[0]).toMatchObject({
    lastTransitionTime: "1970-01-01T00:00:00Z",
    message: "still open",
    observedGeneration: 2,
  });
  expect(turned[0]?.lastTransitionTime).toBe("1970-01-01T00:02:00Z");
});
