import * as fc from "fast-check";
import { expect, it } from "vitest";
import { NO_PROBES, type ProbeResult, recordProbe } from "./probe-history.ts";
import { closingBoundMs, pauseAfterProbeMs, type ProbeSettings } from "./probe-schedule.ts";

const DEFAULTS: ProbeSettings = {
  periodSeconds: 1,
  timeoutSeconds: 1,
  failureThreshold: 3,
  successThreshold: 2,
};
const ANY_SETTINGS: fc.Arbitrary<ProbeSettings> = fc.record({
  periodSeconds: fc.integer({ min: 1, max: 300 }),
  timeoutSeconds: fc.integer({ min: 1, max: 60 }),
  failureThreshold: fc.integer({ min: 1, max: 20 }),
  successThreshold: fc.constant(2),
});

/** The address answered at 0 and is black-holed from then on; when it counts as down, in ms. */
function downAtMs(settings: ProbeSettings, randoms: readonly number[]): number {
  let draws = 0;
  const random = (): number => randoms[draws++ % randoms.length] ?? 0;
  const spentMs = settings.timeoutSeconds * 1000;
  const timedOut: ProbeResult = {
    ok: false,
    failure: { reason: "GatewayUnreachable", message: "late" },
  };
  let history = recordProbe(NO_PROBES, { ok: true, rttMs: 1 }, settings, 0);
  let nowMs = pauseAfterProbeMs(settings, 0, random);
  for (;;) {
    nowMs += spentMs;
    history = recordProbe(history, timedOut, settings, nowMs);
    if (history.state === "down") return nowMs;
    nowMs += pauseAfterProbeMs(settings, spentMs, random);
  }
}

it("a black-holed gateway is down after 4 s at most by default", () => {
  expect(closingBoundMs(DEFAULTS)).toBe(4000);
  expect(downAtMs(DEFAULTS, [0])).toBe(4000);
  expect(downAtMs(DEFAULTS, [0.999])).toBeGreaterThan(3000);
});

it("a gateway is down within the bound that follows from the settings, whatever the jitter", () => {
  const randoms = fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1 });
  fc.assert(
    fc.property(ANY_SETTINGS, randoms, (settings, drawn) => {
      expect(downAtMs(settings, drawn)).toBeLessThanOrEqual(closingBoundMs(settings));
    }),
  );
});

it("probes spread out, and never follow each other without a pause when they are answered", () => {
  expect(pauseAfterProbeMs(DEFAULTS, 5, () => 0)).toBe(995);
  expect(pauseAfterProbeMs(DEFAULTS, 5, () => 0.999)).toBeGreaterThan(790);
  expect(pauseAfterProbeMs(DEFAULTS, 1000, () => 0)).toBe(0);
});
