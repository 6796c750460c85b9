import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { REASONS } from "../../../api/reasons.ts";
import {
  FLAP_WINDOW_MS,
  NO_PROBES,
  type ProbeHistory,
  type ProbeResult,
  recordProbe,
  successesNeeded,
} from "./probe-history.ts";

const GOOD: ProbeResult = { ok: true, rttMs: 1 };
const BAD: ProbeResult = {
  ok: false,
  failure: { reason: REASONS.GatewayUnreachable, message: "refused" },
};
const THRESHOLDS = { failureThreshold: 3, successThreshold: 2 };

/** Probes one second apart. */
function after(results: readonly ProbeResult[], from: ProbeHistory = NO_PROBES, startMs = 0) {
  return results.reduce(
    (history, result, index) => recordProbe(history, result, THRESHOLDS, startMs + index * 1000),
    from,
  );
}

function reasonAfter(...results: ProbeResult[]): string | undefined {
  return after(results).failure?.reason;
}

describe("the history of an address's probes", () => {
  it.each([
    { name: "nothing is known before the first probe", results: [], state: "unknown" },
    { name: "the first good probe counts at once", results: [GOOD], state: "up" },
    { name: "the first bad probe counts at once", results: [BAD], state: "down" },
    {
      name: "it stays up below the failure threshold",
      results: [GOOD, BAD, BAD],
      state: "up",
    },
    {
      name: "it is down at the failure threshold",
      results: [GOOD, BAD, BAD, BAD],
      state: "down",
    },
    {
      name: "a good probe starts the count of failures anew",
      results: [GOOD, BAD, BAD, GOOD, BAD, BAD],
      state: "up",
    },
    {
      name: "it stays down below the success threshold",
      results: [BAD, GOOD],
      state: "down",
    },
    { name: "it reopens at the success threshold", results: [BAD, GOOD, GOOD], state: "up" },
    {
      name: "a bad probe starts the count of successes anew",
      results: [BAD, GOOD, BAD, GOOD],
      state: "down",
    },
  ])("$name", ({ results, state }) => {
    expect(after(results).state).toBe(state);
  });

  it("asks for twice as many good probes each time it falls soon after reopening", () => {
    const reopened = after([BAD, GOOD, GOOD]);
    const fallen = after([BAD, BAD, BAD], reopened, 3000);
    expect(fallen.state).toBe("down");
    expect(successesNeeded(fallen, THRESHOLDS)).toBe(4);
    expect(after([GOOD, GOOD, GOOD], fallen, 6000).state).toBe("down");
    expect(after([GOOD, GOOD, GOOD, GOOD], fallen, 6000).state).toBe("up");
  });

  it("forgets that it flapped once it fell after a long good time", () => {
    const flapped = after([BAD, BAD, BAD], after([BAD, GOOD, GOOD]), 3000);
    const reopened = after([GOOD, GOOD, GOOD, GOOD], flapped, 6000);
    const fallen = after([BAD, BAD, BAD], reopened, 9000 + FLAP_WINDOW_MS);
    expect(successesNeeded(fallen, THRESHOLDS)).toBe(2);
  });

  it("keeps its reason while probes fail now so, now so, and takes another that stays", () => {
    const rejected: ProbeResult = {
      ok: false,
      failure: { reason: REASONS.PeerRejected, message: "rejected" },
    };
    expect(reasonAfter(BAD, rejected, rejected, BAD, rejected, rejected)).toBe(
      "GatewayUnreachable",
    );
    expect(reasonAfter(BAD, rejected, rejected, rejected)).toBe("PeerRejected");
    expect(reasonAfter(BAD, GOOD)).toBe("GatewayUnreachable");
    expect(reasonAfter(BAD, GOOD, GOOD)).toBeUndefined();
  });

  it("closes after failureThreshold failures however much it flapped before", () => {
    const results = fc.array(fc.constantFrom(GOOD, BAD), { maxLength: 200 });
    fc.assert(
      fc.property(results, (sequence) => {
        const closed = after([BAD, BAD, BAD], after(sequence), sequence.length * 1000);
        expect(closed.state).toBe("down");
      }),
    );
  });

  it("never asks for more than sixteen times successThreshold, however often it flaps", () => {
    let history = after([BAD]);
    let nowMs = 1000;
    const asked = Array.from({ length: 8 }, () => {
      const needed = successesNeeded(history, THRESHOLDS);
      const results = [...Array.from({ length: needed }, () => GOOD), BAD, BAD, BAD];
      history = after(results, history, nowMs);
      nowMs += results.length * 1000;
      expect(history.state).toBe("down");
      return needed;
    });
    expect(asked).toEqual([2, 4, 8, 16, 32, 32, 32, 32]);
  });

  it("never changes its state without as many results in a row as the thresholds ask", () => {
    const results = fc.array(fc.constantFrom(GOOD, BAD), { maxLength: 60 });
    const thresholds = fc.record({
      failureThreshold: fc.integer({ min: 1, max: 5 }),
      successThreshold: fc.integer({ min: 1, max: 5 }),
    });
    fc.assert(
      fc.property(results, thresholds, (sequence, limits) => {
        let history = NO_PROBES;
        const lawful = sequence.every((result, index) => {
          const before = history;
          history = recordProbe(before, result, limits, index * 1000);
          if (before.state === "unknown" || before.state === history.state) return true;
          const needed = history.state === "up" ? limits.successThreshold : limits.failureThreshold;
          const latest = sequence.slice(Math.max(0, index + 1 - needed), index + 1);
          return (
            latest.length === needed && latest.every(({ ok }) => ok === (history.state === "up"))
          );
        });
        expect(lawful).toBe(true);
      }),
    );
  });
});
