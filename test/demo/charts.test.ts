import { describe, expect, test } from "vitest";
import { type AnswerChart, bucketsOf } from "./answer-chart.ts";
import { drawSvg } from "./svg-chart.ts";
import { drawOnTerminal } from "./terminal-chart.ts";

/** East answers for 4 s, nobody for 1 s, west for 5 s; ten requests a second. */
const CHART: AnswerChart = {
  fromMs: 0,
  toMs: 10_000,
  records: Array.from({ length: 100 }, (_, index) => {
    const beganMs = index * 100;
    const cluster = beganMs < 4000 ? "east" : beganMs < 5000 ? undefined : "west";
    const failure = cluster === undefined ? "ECONNREFUSED" : undefined;
    return { beganMs, endedMs: beganMs + 1, cluster, failure };
  }),
  clusters: ["east", "west"],
  marks: [
    { atMs: 4000, text: "killed" },
    { atMs: 4100, text: "noticed" },
  ],
  without: { fromMs: 2000, toMs: 9999, text: "alone" },
};

test("requests are counted where they were begun, by who answered", () => {
  const buckets = bucketsOf(CHART, 4).map((bucket) => Object.fromEntries(bucket));
  expect(buckets).toEqual([{ east: 25 }, { east: 15, failed: 10 }, { west: 25 }, { west: 25 }]);
});

describe("on a terminal", () => {
  const lines = drawOnTerminal(CHART, { columns: 20, colour: false });

  test("each cluster and the failed requests have a band of their own over one time axis", () => {
    expect(lines.slice(0, 9)).toEqual([
      "         ████████",
      "  east   ████████",
      "                   ██████████",
      "  west             ██████████",
      "                 ██",
      "  failed         ██",
      "             ├╌╌╌ alone ╌╌╌╌┤",
      "         ┬0s───────┬5s───────",
      "                 ①②",
    ]);
  });

  test("marks are told in words with their times", () => {
    expect(lines.slice(9)).toEqual(["         ① killed (4.0 s)", "         ② noticed (4.1 s)"]);
  });

  test("there are no escape sequences without colour, and some with it", () => {
    const coloured = drawOnTerminal(CHART, { columns: 20, colour: true }).join("\n");
    expect(lines.join("\n")).not.toContain("\u001B");
    expect(coloured).toContain("\u001B");
  });

  test("a single request among many can be seen", () => {
    const odd = { beganMs: 0, endedMs: 1, cluster: "west", failure: undefined };
    const drawn = drawOnTerminal(
      { ...CHART, records: [...CHART.records, odd] },
      { columns: 20, colour: false },
    );
    expect(drawn[3]).toBe("  west   ▃         ██████████");
  });
});

test("the SVG says all it says in words, and nothing in it is beyond its edges", () => {
  const svg = drawSvg(CHART, "Answers");
  for (const words of ["Answers", "east", "west", "failed", "alone", "killed, at 4.0 s"])
    expect(svg).toContain(`>${words}</text>`);
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  const [, width = 0, height = 0] = (/viewBox="0 0 (\d+) (\d+)"/.exec(svg) ?? []).map(Number);
  const points = [...svg.matchAll(/(-?[\d.]+) (-?[\d.]+)(?=[LZ])/g)].map(([, x, y]) => [
    Number(x),
    Number(y),
  ]);
  expect(points.length).toBeGreaterThan(0);
  expect(points.every(([x = -1, y = -1]) => x >= 0 && x <= width && y >= 0 && y <= height)).toBe(
    true,
  );
});
