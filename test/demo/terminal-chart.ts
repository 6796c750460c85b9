import { createColors } from "picocolors";
import { type AnswerChart, bucketsOf, FAILED } from "./answer-chart.ts";

const EIGHTHS = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const ROWS = 2;
const CIRCLED_ONE = 0x2460;
const AXIS_STEP_MS = 5000;

/**
 * Draws who answered over time as lines of text: a band of blocks for each cluster and for failed requests, below them
 * the time axis, and the marks numbered, each on a line of its own.
 * @param columns characters for the bands, the names come on top
 */
export function drawOnTerminal(
  chart: AnswerChart,
  { columns, colour }: { columns: number; colour: boolean },
): string[] {
  const pc = createColors(colour);
  const buckets = bucketsOf(chart, columns);
  const most = Math.max(1, ...buckets.map((bucket) => sum(bucket.values())));
  const nameWidth = Math.max(FAILED.length, ...chart.clusters.map(({ length }) => length));
  const clusterPaints = [pc.green, pc.blue, pc.magenta];
  const bands = [...chart.clusters, FAILED].map((name, index) => ({
    name,
    paint: name === FAILED ? pc.red : (clusterPaints[index] ?? String),
    heights: buckets.map((bucket) => bucket.get(name) ?? 0),
  }));
  const line = (name: string, content: string) =>
    `  ${name.padEnd(nameWidth)} ${content}`.trimEnd();
  return [
    ...bands.flatMap(({ name, paint, heights }) =>
      blocks(heights, most).map((row, index, { length }) =>
        line(index === length - 1 ? name : "", paint(row)),
      ),
    ),
    line("", pc.dim(bandOf(chart, columns))),
    line("", pc.dim(axis(chart, columns))),
    line("", pc.bold(marksRow(chart, columns))),
    ...chart.marks.map(({ text, atMs }, index) =>
      line("", `${pc.bold(circled(index))} ${text} ${pc.dim(`(${seconds(atMs - chart.fromMs)})`)}`),
    ),
  ];
}

/** Bars of the given heights, `ROWS` lines high; whatever is not nothing can be seen. */
function blocks(heights: readonly number[], most: number): string[] {
  const levels = heights.map((height) =>
    height === 0 ? 0 : Math.max(1, Math.round((height / most) * ROWS * 8)),
  );
  return Array.from({ length: ROWS }, (_, row) => {
    const below = (ROWS - 1 - row) * 8;
    return levels.map((level) => EIGHTHS[Math.min(8, Math.max(0, level - below))] ?? " ").join("");
  });
}

/** The stretch without, as a bar with its text. */
function bandOf(chart: AnswerChart, columns: number): string {
  const from = columnOf(chart, columns, chart.without.fromMs);
  const to = columnOf(chart, columns, chart.without.toMs);
  const text = ` ${chart.without.text} `;
  const length = to - from + 1;
  const label = text.length + 2 <= length ? text : "";
  const rest = Math.max(0, length - 2 - label.length);
  const left = Math.floor(rest / 2);
  return `${" ".repeat(from)}├${"╌".repeat(left)}${label}${"╌".repeat(rest - left)}┤`;
}

function axis(chart: AnswerChart, columns: number): string {
  const steps = Math.floor((chart.toMs - chart.fromMs) / AXIS_STEP_MS);
  const ticks = Array.from({ length: steps + 1 }, (_, step) => ({
    column: columnOf(chart, columns, chart.fromMs + step * AXIS_STEP_MS),
    label: `┬${(step * AXIS_STEP_MS) / 1000}s`,
  }));
  return ticks
    .filter(({ column, label }) => column + label.length <= columns)
    .reduce((row, { column, label }) => row.padEnd(column, "─") + label, "")
    .padEnd(columns, "─");
}

/** The numbers of the marks where they happened; one that has no room is put beside the one before. */
function marksRow(chart: AnswerChart, columns: number): string {
  return chart.marks.reduce(
    (row, { atMs }, index) => row.padEnd(columnOf(chart, columns, atMs)) + circled(index),
    "",
  );
}

function columnOf({ fromMs, toMs }: AnswerChart, columns: number, atMs: number): number {
  const column = Math.floor(((atMs - fromMs) / (toMs - fromMs)) * columns);
  return Math.min(columns - 1, Math.max(0, column));
}

function circled(index: number): string {
  return String.fromCodePoint(CIRCLED_ONE + index);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function sum(counts: Iterable<number>): number {
  return [...counts].reduce((total, count) => total + count, 0);
}
