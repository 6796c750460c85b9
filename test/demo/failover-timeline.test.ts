import { expect, test } from "vitest";
import { type Expectation, Timeline } from "./failover-timeline.ts";

test("a phase ends where the next begins, the last with the story", () => {
  const steady: Expectation = {
    name: "east",
    kind: "steady",
    mayAnswer: ["east"],
    mayFail: false,
  };
  const handover: Expectation = { ...steady, name: "to west", kind: "handover" };
  const timeline = new Timeline();
  timeline.begin(10, steady);
  timeline.begin(30, handover);
  expect(timeline.phases(70)).toEqual([
    { ...steady, fromMs: 10, toMs: 30 },
    { ...handover, fromMs: 30, toMs: 70 },
  ]);
});
