import { describe, expect, test } from "vitest";
import {
  begunIn,
  failuresIn,
  firstAnswerMs,
  longestGap,
  recordOf,
  type RequestRecord,
} from "./request-record.ts";

function answered(cluster: string, beganMs: number, tookMs = 1): RequestRecord {
  return { beganMs, endedMs: beganMs + tookMs, cluster, failure: undefined };
}

function failed(failure: string, beganMs: number, tookMs = 0): RequestRecord {
  return { beganMs, endedMs: beganMs + tookMs, cluster: undefined, failure };
}

const SPAN = { fromMs: 100, toMs: 200 };

describe("what an attempt was", () => {
  test("an answer is attributed to the cluster that it names", () => {
    const attempt = { atMs: 10, tookMs: 2.5, status: 200, body: "hello from west\n" };
    expect(recordOf(attempt)).toEqual(answered("west", 10, 2.5));
  });

  test.each([
    [{ code: "ECONNREFUSED" }, "ECONNREFUSED"],
    [{ status: 503, body: "hello from west" }, "HTTP503"],
    [{ status: 200, body: "something else" }, "HTTP200"],
  ])("%o is a failure", (outcome, failure) => {
    expect(recordOf({ atMs: 10, tookMs: 1, ...outcome })).toEqual(failed(failure, 10, 1));
  });
});

describe("the longest time without an answer", () => {
  test("lies between two answers, whatever failed in between", () => {
    const records = [
      answered("east", 110),
      failed("ECONNREFUSED", 120),
      failed("ETIMEDOUT", 121, 60),
      answered("west", 170, 5),
      answered("west", 198),
    ];
    expect(longestGap(records, SPAN)).toEqual({ gapMs: 64, fromMs: 111 });
  });

  test("is measured between answers in the order in which they came", () => {
    const records = [answered("east", 100, 90), answered("west", 140), answered("west", 150)];
    expect(longestGap(records, SPAN)).toEqual({ gapMs: 41, fromMs: 100 });
  });

  test("begins and ends with the span when nothing answered before and after", () => {
    expect(longestGap([], SPAN)).toEqual({ gapMs: 100, fromMs: 100 });
    expect(longestGap([answered("east", 109)], SPAN)).toEqual({ gapMs: 90, fromMs: 110 });
  });

  test("takes no notice of answers outside of the span", () => {
    const records = [answered("east", 10), answered("east", 149), answered("east", 300)];
    expect(longestGap(records, SPAN)).toEqual({ gapMs: 50, fromMs: 100 });
  });
});

test("a request belongs to the span in which it was begun, wherever it ended", () => {
  const records = [failed("ETIMEDOUT", 199, 50), failed("ECONNRESET", 200), answered("east", 100)];
  expect(begunIn(records, SPAN).map(({ beganMs }) => beganMs)).toEqual([100, 199]);
  expect(failuresIn(records, SPAN).map(({ failure }) => failure)).toEqual(["ETIMEDOUT"]);
});

test("the first answer after a time is the earliest to a request begun after it", () => {
  const records = [answered("west", 90, 30), answered("west", 101, 40), answered("west", 110, 5)];
  expect(firstAnswerMs(records, "west", 100)).toBe(115);
  expect(firstAnswerMs(records, "east", 100)).toBeUndefined();
});
