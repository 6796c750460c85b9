import { type AnswerChart, type Bucket, bucketsOf, FAILED } from "./answer-chart.ts";

const WIDTH = 860;
const LEFT = 48;
const RIGHT = 20;
const TOP = 52;
const PLOT_WIDTH = WIDTH - LEFT - RIGHT;
const PLOT_HEIGHT = 170;
/** From the bottom of the plot to the list of the marks. */
const MARKS_TOP = 62;
const LEGEND_WIDTH = 62;
/** Requests a second from one line to the next. */
const RATE_STEP = 50;
const MARK_LINE_HEIGHT = 18;
const BUCKET_MS = 250;
const AXIS_STEP_MS = 5000;
const MARK_RADIUS = 8;

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #24292f; }
  .title { font-weight: 600; }
  .faint { fill: #57606a; }
  .area0 { fill: #2da44e; }
  .area1 { fill: #2f6fdb; }
  .area2 { fill: #8250df; }
  .failed { fill: #cf222e; }
  .axis { stroke: #8c959f; stroke-width: 1; }
  .mark { stroke: #24292f; stroke-width: 1; stroke-dasharray: 3 3; }
  .dot { fill: #24292f; }
  .number { font-size: 11px; font-weight: 600; fill: #ffffff; }
  .without { fill: #8c959f; opacity: 0.25; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .faint { fill: #9198a1; }
    .area0 { fill: #3fb950; }
    .area1 { fill: #6ea8fe; }
    .area2 { fill: #bc8cff; }
    .failed { fill: #ff7b72; }
    .mark { stroke: #e6edf3; }
    .dot { fill: #e6edf3; }
    .number { fill: #0d1117; }
  }`;

/**
 * Draws who answered over time as an SVG for light and dark pages: requests a second, one cluster upon the other and
 * failed ones on top, with the marks numbered and told below.
 */
export function drawSvg(chart: AnswerChart, title: string): string {
  const durationMs = chart.toMs - chart.fromMs;
  const count = Math.max(1, Math.round(durationMs / BUCKET_MS));
  const buckets = bucketsOf(chart, count);
  const perSecond = (requests: number) => (requests * count * 1000) / durationMs;
  const most = Math.max(
    1,
    ...buckets.map((bucket) => perSecond(stacked(bucket, [...bucket.keys()]))),
  );
  const bottom = TOP + PLOT_HEIGHT;
  const height = bottom + MARKS_TOP + chart.marks.length * MARK_LINE_HEIGHT;
  const x = (atMs: number) => LEFT + ((atMs - chart.fromMs) / durationMs) * PLOT_WIDTH;
  const y = (rate: number) => bottom - (rate / most) * PLOT_HEIGHT;
  const edge = (names: readonly string[]) =>
    buckets.map((bucket) => y(perSecond(stacked(bucket, names))));
  const series = [...chart.clusters, FAILED];
  const areas = series.map((name, index) => {
    const below = series.slice(0, index);
    return `<path class="${className(name, index)}" d="${stepArea(edge([...below, name]), edge(below))}"/>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${title}">
<style>${STYLE}
</style>
${[
  text(LEFT, 18, title, { kind: "title" }),
  ...legend(series),
  ...areas,
  ...valueAxis(most, y),
  ...timeAxis(durationMs, bottom),
  ...without(chart, x),
  ...marks(chart, x, bottom),
].join("\n")}
</svg>
`;
}

function stacked(bucket: Bucket, names: readonly string[]): number {
  return names.reduce((total, name) => total + (bucket.get(name) ?? 0), 0);
}

function className(name: string, index: number): string {
  return name === FAILED ? "failed" : `area${index}`;
}

/** The stretch between two edges that go in steps, a step for each bucket. */
function stepArea(upper: readonly number[], lower: readonly number[]): string {
  const stepWidth = PLOT_WIDTH / upper.length;
  const steps = (edge: readonly number[]) =>
    edge.flatMap((y, index) => [
      `${round(LEFT + index * stepWidth)} ${round(y)}`,
      `${round(LEFT + (index + 1) * stepWidth)} ${round(y)}`,
    ]);
  return `M${[...steps(upper), ...steps(lower).toReversed()].join("L")}Z`;
}

function legend(series: readonly string[]): string[] {
  const left = WIDTH - RIGHT - series.length * LEGEND_WIDTH;
  return series.flatMap((name, index) => [
    `<rect class="${className(name, index)}" x="${left + index * LEGEND_WIDTH}" y="9" width="10" height="10"/>`,
    text(left + index * LEGEND_WIDTH + 15, 18, name),
  ]);
}

function valueAxis(most: number, y: (rate: number) => number): string[] {
  const ticks = [0, RATE_STEP, 2 * RATE_STEP].filter((tick) => tick <= most);
  return ticks.flatMap((tick) => [
    `<line class="axis" opacity="${tick === 0 ? 1 : 0.3}" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${round(y(tick))}" y2="${round(y(tick))}"/>`,
    text(LEFT - 6, y(tick) + 4, `${tick}/s`, { kind: "faint", anchor: "end" }),
  ]);
}

function timeAxis(durationMs: number, bottom: number): string[] {
  const ticks = Array.from(
    { length: Math.floor(durationMs / AXIS_STEP_MS) + 1 },
    (_, index) => index * AXIS_STEP_MS,
  );
  return ticks.map((tickMs) =>
    text(LEFT + (tickMs / durationMs) * PLOT_WIDTH, bottom + 16, `${tickMs / 1000} s`, {
      kind: "faint",
      anchor: "middle",
    }),
  );
}

function without({ without: stretch }: AnswerChart, x: (atMs: number) => number): string[] {
  const [left, right] = [x(stretch.fromMs), x(stretch.toMs)];
  return [
    `<rect class="without" x="${round(left)}" y="${TOP - 20}" width="${round(right - left)}" height="16" rx="3"/>`,
    text((left + right) / 2, TOP - 8, stretch.text, { anchor: "middle" }),
  ];
}

function marks(chart: AnswerChart, x: (atMs: number) => number, bottom: number): string[] {
  return chart.marks.flatMap(({ atMs, text: what }, index) => {
    const lineY = bottom + MARKS_TOP + index * MARK_LINE_HEIGHT - 8;
    const at = x(atMs);
    return [
      `<line class="mark" x1="${round(at)}" x2="${round(at)}" y1="${TOP}" y2="${bottom + 4}"/>`,
      ...numbered(at, bottom + 30, index),
      ...numbered(LEFT + MARK_RADIUS, lineY, index),
      text(LEFT + 24, lineY + 4, `${what}, at ${((atMs - chart.fromMs) / 1000).toFixed(1)} s`),
    ];
  });
}

function numbered(x: number, y: number, index: number): string[] {
  return [
    `<circle class="dot" cx="${round(x)}" cy="${y}" r="${MARK_RADIUS}"/>`,
    text(x, y + 4, String(index + 1), { kind: "number", anchor: "middle" }),
  ];
}

function text(
  x: number,
  y: number,
  content: string,
  { kind = "", anchor = "start" }: { kind?: string; anchor?: string } = {},
): string {
  return `<text class="${kind}" x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${content}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
