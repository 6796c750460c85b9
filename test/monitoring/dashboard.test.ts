import { describe, expect, it } from "vitest";
import { queriesOf, readDashboard } from "./dashboard-queries.ts";
import { knownMetrics, TARGET_LABELS } from "./known-metrics.ts";
import { groupingLabelsOf, selectorsOf } from "./series-selectors.ts";

const RATE_SECONDS = 60;
const dashboard = readDashboard();
const METRICS = knownMetrics();

describe("the dashboard", () => {
  it("has panels that do not cover each other", () => {
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    const ends = dashboard.panels.map(({ gridPos: { x, w } }) => x + w);
    expect(Math.max(...ends)).toBe(24);
  });

  it("offers choices by labels that their metrics have", () => {
    const choices = dashboard.templating.list.flatMap(({ definition }) => definition ?? []);
    expect(choices).toHaveLength(2);
    for (const choice of choices) {
      const [selector] = selectorsOf(choice);
      const label = /, (?<label>\w+)\)$/.exec(choice)?.groups?.["label"];
      const labels = [...(METRICS.get(selector?.metric ?? "") ?? []), ...TARGET_LABELS];
      expect(labels).toContain(label);
    }
  });

  it("shows every metric of links, mirrors and failover", () => {
    const shown = new Set(
      queriesOf(dashboard, RATE_SECONDS).flatMap(({ expr }) =>
        selectorsOf(expr).map(({ metric }) => metric.replace(/_(?:bucket|count)$/, "")),
      ),
    );
    const all = [...METRICS.keys()].filter((name) =>
      /^isthmus_(?:link|mirrors?|closed|failover)_?/.test(name),
    );
    const hidden = all.filter((name) => !shown.has(name.replace(/_(?:bucket|count|sum)$/, "")));
    expect(hidden).toEqual([]);
  });
});

describe.each(queriesOf(dashboard, RATE_SECONDS))("$panel: $legend", ({ expr, legend }) => {
  it("reads metrics that there are, by labels that they have", () => {
    const labels = new Set(TARGET_LABELS);
    const selectors = selectorsOf(expr);
    expect(selectors).not.toEqual([]);
    for (const { metric, matchers } of selectors) {
      const own = METRICS.get(metric);
      expect(METRICS.has(metric) ? [] : [metric]).toEqual([]);
      for (const label of own ?? []) labels.add(label);
      for (const { label } of matchers) expect([...(own ?? []), ...TARGET_LABELS]).toContain(label);
    }
    for (const label of groupingLabelsOf(expr)) expect(labels).toContain(label);
  });

  it("names its series by labels that they keep", () => {
    const named = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = ""]) => label);
    const isGrouped = /\b(?:sum|max|min|count)\b/.test(expr);
    expect(isGrouped ? groupingLabelsOf(expr) : TARGET_LABELS).toEqual(
      expect.arrayContaining(named),
    );
  });
});
