import { expect, it } from "vitest";
import { cpuSecondsOf, residentBytesOf, rssBytesOf, ticksOf } from "./process-cost.ts";

it("adds user and system time, whatever the process is called", () => {
  const stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 0 0 0 250 31 9 9 20 0 11 0 100 1 1";
  expect(ticksOf(stat)).toBe(281);
});

it("reads resident memory", () => {
  expect(residentBytesOf("VmPeak:\t  9 kB\nVmRSS:\t   2048 kB\nRssAnon:\t 1 kB\n")).toBe(2 ** 21);
});

it("knows what this process costs, and nothing of one that is not there", () => {
  expect(cpuSecondsOf([process.pid])).toBeGreaterThan(0);
  expect(rssBytesOf([process.pid])).toBeGreaterThan(2 ** 20);
  expect(cpuSecondsOf([2 ** 22 + 1])).toBe(0);
});
