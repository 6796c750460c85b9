import { expect, test } from "vitest";
import { type Activation, type ActivationInputs, decideActivation } from "./activation.ts";

/** Three endpoints; 2 s until they take part, 30 s until they are taken back. */
const GIVEN: ActivationInputs = {
  activated: false,
  ownReady: true,
  forMs: 0,
  targetHealthy: true,
  activateAfterMs: 2000,
  failbackAfterMs: 30_000,
  endpoints: 3,
};
const idle = { readyEndpoints: 0 };
const taking = (readyEndpoints: number, recheckAfterMs?: number): Activation => ({
  readyEndpoints,
  ...(recheckAfterMs !== undefined && { recheckAfterMs }),
});
const gone = { ownReady: false };
const back = { activated: true };

test.for<[string, Partial<ActivationInputs>, Activation]>([
  ["own endpoints are ready", {}, idle],
  [
    "they are gone for less than activate-after",
    { ...gone, forMs: 500 },
    { ...idle, recheckAfterMs: 1500 },
  ],
  ["they are gone for activate-after", { ...gone, forMs: 2000 }, taking(3)],
  ["they are gone and it need not wait", { ...gone, activateAfterMs: 0 }, taking(3)],
  ["they were gone before a restart already", { ...gone, activated: true }, taking(3)],
  [
    "they are gone and the target is not healthy",
    { ...gone, forMs: 9000, targetHealthy: false },
    idle,
  ],
  ["they are back for less than failback-after", { ...back, forMs: 10_000 }, taking(3, 20_000)],
  ["they are back for failback-after", { ...back, forMs: 30_000 }, taking(2, 10_000)],
  ["they are back for a third more", { ...back, forMs: 40_000 }, taking(1, 10_000)],
  ["they are back for nearly two thirds more", { ...back, forMs: 49_999 }, taking(1, 1)],
  ["they are back for two thirds more", { ...back, forMs: 50_000 }, idle],
  ["they are back for hours", { ...back, forMs: 9e9 }, idle],
  ["they are back and it need not wait", { ...back, failbackAfterMs: 0 }, idle],
  ["they are back and the target is not healthy", { ...back, targetHealthy: false }, idle],
  ["there is one endpoint, back for less", { ...back, endpoints: 1, forMs: 29_999 }, taking(1, 1)],
  [
    "there is one endpoint, back for failback-after",
    { ...back, endpoints: 1, forMs: 30_000 },
    idle,
  ],
])("what of our endpoints is ready when %s", ([, inputs, activation]) => {
  expect(decideActivation({ ...GIVEN, ...inputs })).toEqual(activation);
});
