import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { drawFigure } from "./figure.ts";
import type { Values } from "./loads.ts";
import { replaceBetweenMarkers } from "./publish.ts";

const page = readFileSync(new URL("../../docs/benchmarks.md", import.meta.url), "utf8");

it("finds its place in the page of figures, again and again, and leaves the rest alone", () => {
  const once = replaceBetweenMarkers(page, "first");
  const twice = replaceBetweenMarkers(once, "second");
  expect(twice).toContain("second");
  expect(twice).not.toContain("first\n");
  expect(replaceBetweenMarkers(page, "second")).toBe(twice);
  expect(twice.slice(0, 100)).toBe(page.slice(0, 100));
  expect(twice.slice(-100)).toBe(page.slice(-100));
});

it("refuses a page without a place for it", () => {
  expect(() => replaceBetweenMarkers("# Figures\n", "")).toThrow("no ");
});

function of(cpuSecondsPerUnit: number): Values[] {
  return [{ cpuSecondsPerUnit, requestsPerSecond: 1 }];
}

it("draws a row for each case that was measured, with the ratio to HAProxy", () => {
  const figure = drawFigure({
    connections: { direct: [{ requestsPerSecond: 4 }], haproxy: of(4), isthmus: of(1) },
  });
  expect(figure).toContain(">new connections</text>");
  expect(figure).toContain(">0.25</text>");
  expect(figure).not.toContain("bulk");
  expect(figure).not.toContain("NaN");
});
