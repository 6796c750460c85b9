import { quantile } from "../statistics.ts";
import type { Run } from "./judgement.ts";
import { type Kind, MODES } from "./kinds.ts";

const WIDTH = 860;
const LEFT = 240;
const RIGHT = 70;
const TOP = 56;
const ROW_HEIGHT = 30;
const GROUP_GAP = 12;
const DOT_RADIUS = 3;
/** Decades of the logarithmic axis, in milliseconds. */
const TICKS_MS = [1, 10, 100, 1000, 10_000];
const GOAL_MS = 1500;
/** How far dots of one row lie apart, so that equal ones can be told. */
const SPREAD = 4;

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #24292f; }
  .title { font-weight: 600; }
  .faint { fill: #57606a; }
  .standby { fill: #2f6fdb; }
  .active { fill: #9a6700; }
  .axis { stroke: #8c959f; stroke-width: 1; opacity: 0.4; }
  .median { stroke: #24292f; stroke-width: 2; }
  .goal { stroke: #cf222e; stroke-width: 2; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .faint { fill: #9198a1; }
    .standby { fill: #6ea8fe; }
    .active { fill: #d29922; }
    .median { stroke: #e6edf3; }
    .goal { stroke: #ff7b72; }
  }`;

interface Group {
  readonly label: string;
  readonly kind: Kind;
  readonly figure: "gapMs" | "afterReadinessMs" | "returnGapMs";
}

const GROUPS: readonly Group[] = [
  { kind: "graceful", figure: "gapMs", label: "told to end" },
  { kind: "graceful", figure: "returnGapMs", label: "told to end, return" },
  { kind: "crash", figure: "gapMs", label: "crash" },
  { kind: "crash", figure: "afterReadinessMs", label: "crash, after readiness fell" },
  { kind: "crash", figure: "returnGapMs", label: "crash, return" },
];

/**
 * A dot for each run's longest time without an answer, on a logarithmic axis, a row for each mode; the medians and the
 * goal are marked. Colours suit light and dark pages.
 */
export function drawFailovers(runs: readonly Run[]): string {
  const groupHeight = MODES.length * ROW_HEIGHT + GROUP_GAP;
  const bottom = TOP + GROUPS.length * groupHeight;
  const rows = GROUPS.flatMap(({ label, kind, figure }, group) =>
    MODES.flatMap((mode, index) => {
      const y = TOP + group * groupHeight + (index + 0.5) * ROW_HEIGHT;
      const values = runs
        .filter((run) => run.mode === mode && run.kind === kind)
        .map((run) => run[figure]);
      return row(`${label}, ${mode}`, mode, y, values);
    }),
  );
  const height = bottom + 28;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="Longest time without an answer, of each run">
<style>${STYLE}
</style>
${[
  text(LEFT, 20, "longest time without an answer, a dot for each run", "title"),
  text(LEFT, 38, "line: median; red: goal of standby after readiness fell, p99", "faint"),
  ...TICKS_MS.flatMap((tickMs) => [
    `<line class="axis" x1="${x(tickMs)}" x2="${x(tickMs)}" y1="${TOP - 4}" y2="${bottom}"/>`,
    text(
      x(tickMs),
      bottom + 16,
      tickMs < 1000 ? `${tickMs} ms` : `${tickMs / 1000} s`,
      "faint",
      "middle",
    ),
  ]),
  ...rows,
  ...GROUPS.flatMap(({ figure }, group) => {
    const y = TOP + group * groupHeight;
    return figure === "afterReadinessMs"
      ? [
          `<line class="goal" x1="${x(GOAL_MS)}" x2="${x(GOAL_MS)}" y1="${y}" y2="${y + ROW_HEIGHT}"/>`,
        ]
      : [];
  }),
].join("\n")}
</svg>
`;
}

function row(label: string, mode: string, y: number, values: readonly number[]): string[] {
  if (values.length === 0) return [];
  const medianMs = quantile(values, 0.5);
  const at = x(medianMs);
  return [
    text(LEFT - 12, y + 4, label, "", "end"),
    ...values.map((value, index) => {
      const dotY = y + ((index % 3) - 1) * SPREAD;
      return `<circle class="${mode}" opacity="0.55" cx="${x(value)}" cy="${dotY}" r="${DOT_RADIUS}"/>`;
    }),
    `<line class="median" x1="${at}" x2="${at}" y1="${y - 10}" y2="${y + 10}"/>`,
    text(WIDTH - RIGHT + 8, y + 4, `${Math.round(medianMs)} ms`, "faint"),
  ];
}

/** Where a time lies; what is beyond the axis is put at its end. */
function x(ms: number): number {
  const [first = 1, last = 1] = [TICKS_MS[0], TICKS_MS.at(-1)];
  const share = Math.log(Math.min(last, Math.max(first, ms)) / first) / Math.log(last / first);
  return Math.round((LEFT + share * (WIDTH - LEFT - RIGHT)) * 10) / 10;
}

function text(atX: number, y: number, content: string, kind = "", anchor = "start"): string {
  return `<text class="${kind}" x="${atX}" y="${y}" text-anchor="${anchor}">${content}</text>`;
}
