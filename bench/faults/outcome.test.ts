import { describe, expect, it } from "vitest";
import type { Attempt } from "../../test/workload/caller.ts";
import { judgeRefusal } from "./outcome.ts";

const span = { beganMs: 1000, endedMs: 2000 };

function answered(atMs: number, target = 0): Attempt {
  return { atMs, tookMs: 2, target, status: 200, body: "hello" };
}

function refused(atMs: number, target = 0): Attempt {
  return { atMs, tookMs: 1, target, code: "ECONNREFUSED" };
}

function timedOut(atMs: number, target = 0): Attempt {
  return { atMs, tookMs: 5000, target, code: "ETIMEDOUT", waitingFor: "answer" };
}

describe("what clients saw of a fault", () => {
  it("is refused from the first refusal on after which nothing else came", () => {
    const attempts = [answered(990), answered(1010), refused(1020), refused(1030), answered(2010)];
    expect(judgeRefusal(attempts, span)).toEqual({
      refusedMs: 21,
      firstRefusedMs: 21,
      hung: 0,
      slow: 0,
      answeredAfterRefusal: 0,
    });
  });

  it("does not count refusals that an answer follows", () => {
    const attempts = [refused(1010), answered(1500), refused(1600)];
    expect(judgeRefusal(attempts, span)).toMatchObject({
      refusedMs: 601,
      firstRefusedMs: 11,
      answeredAfterRefusal: 1,
    });
  });

  it("waits for the slowest mirror", () => {
    const attempts = [refused(1010, 0), answered(1020, 1), refused(1400, 1)];
    expect(judgeRefusal(attempts, span)).toMatchObject({ refusedMs: 401, firstRefusedMs: 11 });
  });

  it("says so when a mirror never came to refuse", () => {
    const attempts = [refused(1010, 0), refused(1900, 0), refused(1010, 1), answered(1900, 1)];
    expect(judgeRefusal(attempts, span).refusedMs).toBeUndefined();
  });

  it("counts attempts that hung, also those begun before the fault, and late resets", () => {
    const late: Attempt = { atMs: 990, tookMs: 1500, code: "ECONNRESET" };
    const attempts = [timedOut(995), late, timedOut(1010), refused(1020)];
    expect(judgeRefusal(attempts, span)).toMatchObject({ refusedMs: 21, hung: 2, slow: 1 });
  });

  it("leaves attempts outside of the fault alone", () => {
    const attempts = [refused(500), timedOut(2500), refused(1020)];
    expect(judgeRefusal(attempts, span)).toMatchObject({ refusedMs: 21, hung: 0 });
  });
});
