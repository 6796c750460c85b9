import { expect, it } from "vitest";
import { drawFigure } from "./figure.ts";
import type { Values } from "./loads.ts";

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
