import type { Samples } from "./gateway.ts";
import { WAYS } from "./gateway.ts";
import { ROWS } from "./report.ts";
import { pairedRatio } from "./results.ts";

const WIDTH = 860;
const LABEL_WIDTH = 190;
const PANEL_WIDTH = 270;
/** Of a number beside its bar, and the space before it. */
const FIGURE_WIDTH = 36;
const PANEL_GAP = 60;
const TOP = 74;
const ROW_HEIGHT = 34;
const BAR_HEIGHT = 11;

/** Upper ends of the two axes; a longer bar is cut and says its value all the same. */
const CPU_AXIS = 2;
const DIRECT_AXIS = 1;

/** By case: what the CPU of the gateways may be at most, HAProxy's being 1. */
const CPU_GOALS: Readonly<Record<string, number>> = {
  connections: 0.25,
  "requests-32": 1,
  "bulk-1-up": 1.25,
  "bulk-1-down": 1.25,
  "bulk-4-up": 1.25,
  "bulk-4-down": 1.25,
};
const DIRECT_GOALS: Readonly<Record<string, number>> = {
  roundtrips: 0.35,
  "bulk-1-up": 0.7,
  "bulk-1-down": 0.7,
};

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #24292f; }
  .title { font-weight: 600; }
  .faint { fill: #57606a; }
  .isthmus { fill: #2f6fdb; }
  .haproxy { fill: #9aa4af; }
  .axis { stroke: #8c959f; stroke-width: 1; }
  .goal { stroke: #cf222e; stroke-width: 2; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .faint { fill: #9198a1; }
    .isthmus { fill: #6ea8fe; }
    .haproxy { fill: #6e7681; }
    .goal { stroke: #ff7b72; }
  }`;

interface Bar {
  readonly kind: "isthmus" | "haproxy";
  readonly value: number | undefined;
}

/**
 * Two panels of bars, a row for each case: the CPU of both gateways per unit with HAProxy's as 1, and the throughput of
 * HAProxy and of the gateways as a share of the direct way's. The goals are marked. Colours suit light and dark pages.
 */
export function drawFigure(samples: Samples): string {
  const rows = ROWS.filter(({ id }) => samples[id] !== undefined);
  const height = TOP + rows.length * ROW_HEIGHT + 36;
  const cpuX = LABEL_WIDTH;
  const directX = LABEL_WIDTH + PANEL_WIDTH + PANEL_GAP;
  const parts = rows.flatMap(({ id, label, figure }, index) => {
    const y = TOP + index * ROW_HEIGHT;
    const ratio = (of: string, way: string, to: string) =>
      pairedRatio(samples, { id, figure: of, way, to });
    const cpu = ratio("cpuSecondsPerUnit", WAYS.isthmus, WAYS.haproxy);
    const rates: Bar[] = [
      { kind: "haproxy", value: ratio(figure, WAYS.haproxy, WAYS.direct) },
      { kind: "isthmus", value: ratio(figure, WAYS.isthmus, WAYS.direct) },
    ];
    return [
      text(LABEL_WIDTH - 10, y + 15, label, "", "end"),
      ...barsOf(
        cpuX,
        y + BAR_HEIGHT / 2,
        [{ kind: "isthmus", value: cpu }],
        CPU_AXIS,
        CPU_GOALS[id],
      ),
      ...goalOf(cpuX, y, CPU_GOALS[id], CPU_AXIS),
      ...barsOf(directX, y, rates, DIRECT_AXIS, DIRECT_GOALS[id]),
      ...goalOf(directX, y, DIRECT_GOALS[id], DIRECT_AXIS),
    ];
  });
  const bottom = TOP + rows.length * ROW_HEIGHT;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="CPU of two gateways against two HAProxy, and throughput of both against the direct way">
<style>${STYLE}
</style>
${[
  text(cpuX, 20, "CPU of both hops per unit, HAProxy = 1", "title"),
  text(cpuX, 38, "shorter is better", "faint"),
  text(directX, 20, "throughput, direct = 1", "title"),
  text(directX, 38, "longer is better", "faint"),
  ...legend(directX + 110, 30),
  ...axis(cpuX, bottom, [0, 0.5, 1, 1.5, 2], CPU_AXIS),
  ...axis(directX, bottom, [0, 0.25, 0.5, 0.75, 1], DIRECT_AXIS),
  ...parts,
].join("\n")}
</svg>
`;
}

function barsOf(
  x: number,
  y: number,
  bars: readonly Bar[],
  axisEnd: number,
  goal: number | undefined,
): string[] {
  const goalAt = ((goal ?? Number.NEGATIVE_INFINITY) / axisEnd) * PANEL_WIDTH;
  return bars.flatMap(({ kind, value }, index) => {
    if (value === undefined || Number.isNaN(value)) return [];
    const top = y + index * (BAR_HEIGHT + 1);
    const width = (Math.min(value, axisEnd) / axisEnd) * PANEL_WIDTH;
    // A figure that the goal's line would cross stands behind it.
    const isCrossed = goalAt >= width && goalAt < width + FIGURE_WIDTH;
    return [
      `<rect class="${kind}" x="${x}" y="${top}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}"/>`,
      text(x + (isCrossed ? goalAt : width) + 6, top + 10, value.toFixed(2), "faint"),
    ];
  });
}

function goalOf(x: number, y: number, goal: number | undefined, axisEnd: number): string[] {
  if (goal === undefined) return [];
  const at = (x + (goal / axisEnd) * PANEL_WIDTH).toFixed(1);
  return [`<line class="goal" x1="${at}" x2="${at}" y1="${y - 2}" y2="${y + 25}"/>`];
}

function axis(x: number, bottom: number, ticks: readonly number[], axisEnd: number): string[] {
  return ticks.flatMap((tick) => {
    const at = x + (tick / axisEnd) * PANEL_WIDTH;
    return [
      `<line class="axis" opacity="${tick === 0 ? 1 : 0.3}" x1="${at}" x2="${at}" y1="${TOP - 8}" y2="${bottom}"/>`,
      text(at, bottom + 16, String(tick), "faint", "middle"),
    ];
  });
}

function legend(x: number, y: number): string[] {
  return [
    `<rect class="haproxy" x="${x}" y="${y}" width="10" height="10"/>`,
    text(x + 15, y + 9, "HAProxy"),
    `<rect class="isthmus" x="${x + 72}" y="${y}" width="10" height="10"/>`,
    text(x + 87, y + 9, "Isthmus"),
    `<line class="goal" x1="${x + 144}" x2="${x + 144}" y1="${y}" y2="${y + 11}"/>`,
    text(x + 150, y + 9, "goal"),
  ];
}

function text(x: number, y: number, content: string, kind = "", anchor = "start"): string {
  return `<text class="${kind}" x="${x.toFixed(1)}" y="${y}" text-anchor="${anchor}">${content}</text>`;
}
