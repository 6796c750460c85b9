/** A query of a panel, and how its series are named. */
export interface Query {
  readonly expr: string;
  /** With Grafana's `{{label}}`. */
  readonly legend: string;
}

/** What a panel shows; how wide it is follows from how many stand beside it in its row. */
export interface PanelSpec {
  readonly title: string;
  /** What the reader learns from it, in a sentence. */
  readonly description: string;
  readonly queries: readonly Query[];
  /** A unit as Grafana names them; plain numbers when absent. */
  readonly unit?: string;
  readonly kind?: "timeseries" | "stat" | "state-timeline" | "table";
  readonly stacked?: boolean;
  /** Values from which on it is red; below it is green. */
  readonly redFrom?: number;
  /** The other way: green from this value on. */
  readonly greenFrom?: number;
}

/** Panels under one title; a new line of them begins when 24 columns are full. */
export interface RowSpec {
  readonly title: string;
  readonly perLine: 2 | 3 | 4 | 6;
  readonly panels: readonly PanelSpec[];
}

interface Position {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

const COLUMNS = 24;
const HEIGHT = 8;
const STAT_HEIGHT = 4;
/** The one chosen at the top of the dashboard. */
export const DATASOURCE = { type: "prometheus", uid: "${datasource}" };

/** The panels of all rows as Grafana's JSON has them, from top to bottom. */
export function panelsOf(rows: readonly RowSpec[]): object[] {
  const panels: object[] = [];
  let y = 0;
  for (const { title, perLine, panels: specs } of rows) {
    panels.push(rowPanel(title, panels.length + 1, y));
    y += 1;
    const w = COLUMNS / perLine;
    for (let from = 0; from < specs.length; from += perLine) {
      const line = specs.slice(from, from + perLine);
      const h = line.every(({ kind }) => kind === "stat") ? STAT_HEIGHT : HEIGHT;
      for (const [index, spec] of line.entries()) {
        panels.push(panel(spec, panels.length + 1, { x: index * w, y, w, h }));
      }
      y += h;
    }
  }
  return panels;
}

function rowPanel(title: string, id: number, y: number): object {
  return { id, type: "row", title, collapsed: false, gridPos: { x: 0, y, w: COLUMNS, h: 1 } };
}

function panel(spec: PanelSpec, id: number, gridPos: Position): object {
  const { title, description, queries, kind = "timeseries" } = spec;
  return {
    id,
    type: kind,
    title,
    description,
    datasource: DATASOURCE,
    gridPos,
    targets: queries.map(({ expr, legend }, index) => ({
      refId: String.fromCodePoint("A".charCodeAt(0) + index),
      datasource: DATASOURCE,
      expr,
      legendFormat: legend,
      // A table and a number show what is now.
      ...(kind === "table" ? { instant: true, format: "table" } : { range: true }),
    })),
    fieldConfig: { defaults: defaultsOf(spec), overrides: [] },
    options: OPTIONS[kind],
    ...(kind === "table" && { transformations: [{ id: "organize", options: WITHOUT_TIME }] }),
  };
}

const WITHOUT_TIME = { excludeByName: { Time: true } };

function defaultsOf(spec: PanelSpec): object {
  const { unit, stacked, kind = "timeseries" } = spec;
  const thresholds = thresholdsOf(spec);
  return {
    ...(unit !== undefined && { unit }),
    ...(kind === "timeseries" && { min: 0, custom: lineOf(stacked === true) }),
    ...(kind === "stat" && { noValue: "0" }),
    ...(thresholds && {
      color: { mode: "thresholds" },
      thresholds: { mode: "absolute", steps: thresholds },
    }),
  };
}

function lineOf(stacked: boolean): object {
  return {
    lineWidth: 1,
    fillOpacity: stacked ? 40 : 5,
    showPoints: "never",
    stacking: { mode: stacked ? "normal" : "none" },
  };
}

function thresholdsOf({ redFrom, greenFrom }: PanelSpec): object[] | undefined {
  if (redFrom !== undefined) {
    return [
      { color: "green", value: null },
      { color: "red", value: redFrom },
    ];
  }
  if (greenFrom === undefined) return undefined;
  return [
    { color: "red", value: null },
    { color: "green", value: greenFrom },
  ];
}

const OPTIONS: Readonly<Record<NonNullable<PanelSpec["kind"]>, object>> = {
  stat: { reduceOptions: { calcs: ["lastNotNull"] }, colorMode: "background" },
  timeseries: {
    legend: { displayMode: "list", placement: "bottom", showLegend: true },
    tooltip: { mode: "multi", sort: "desc" },
  },
  "state-timeline": { mergeValues: true, showValue: "never", rowHeight: 0.8 },
  table: { showHeader: true },
};
