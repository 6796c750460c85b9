import { expect, test } from "vitest";
import { systemClock } from "../../api/clock.ts";
import { ApiError } from "../client/api-error.ts";
import { Pace } from "./pace.ts";

const EXPIRED = new ApiError({ statusCode: 410, operation: "watch" });

function pace(): { pace: Pace; pass: (ms: number) => void } {
  let nowMs = 1_000_000;
  const made = new Pace({ ...systemClock, nowMs: () => nowMs }, () => 1);
  return { pace: made, pass: (ms) => (nowMs += ms) };
}

test("the list after a watch that lasted and expired comes at once", () => {
  const { pace: subject, pass } = pace();
  subject.listed();
  pass(60_000);
  subject.progressed();
  expect(subject.failed(EXPIRED, true)).toBe(0);
});

test("watches that expire as soon as they are opened are not followed by lists without end", () => {
  const { pace: subject, pass } = pace();
  const waits = Array.from({ length: 9 }, () => {
    subject.listed();
    const waitMs = subject.failed(EXPIRED, true);
    pass(waitMs);
    return waitMs;
  });
  expect(waits).toEqual([5000, 5000, 5000, 5000, 5000, 8000, 10_000, 10_000, 10_000]);
});

test("not even a watch that lasts a moment each time brings a list more often than every 5 s", () => {
  const { pace: subject, pass } = pace();
  subject.listed();
  pass(1000);
  subject.progressed();
  expect(subject.failed(EXPIRED, true)).toBe(4000);
});
