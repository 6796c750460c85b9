import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { CONDITION_TYPES } from "../../api/conditions.ts";
import { isReason } from "../../api/reasons.ts";
import { groupingLabelsOf, selectorsOf } from "./series-selectors.ts";
import { knownMetrics, TARGET_LABELS } from "./known-metrics.ts";
import { LINK_ALERT_CASES } from "./link-alert-cases.ts";
import { PROCESS_ALERT_CASES } from "./process-alert-cases.ts";
import { failuresOf, problemsOf } from "./promtool.ts";
import { alertsOf, readAlertGroups } from "./rules.ts";

const GROUPS = readAlertGroups();
const ALERTS = alertsOf(GROUPS);
const NAMES = ALERTS.map(({ alert }) => alert);
const CASES = [...LINK_ALERT_CASES, ...PROCESS_ALERT_CASES];
const METRICS = knownMetrics();
const RUNBOOKS = readFileSync(new URL("../../docs/monitoring.md", import.meta.url), "utf8");

describe("the alerts", () => {
  it("are what Prometheus reads as rules", () => {
    expect(problemsOf(GROUPS)).toBe("");
  });

  it("fire when they must and only then, across restarts of replicas", () => {
    expect(failuresOf(GROUPS, CASES)).toBe("");
  });

  it("are each shown by a case", () => {
    expect(NAMES.filter((name) => !CASES.some(({ alert }) => alert === name))).toEqual([]);
  });

  it("have names of their own, and a runbook each under their name", () => {
    expect(new Set(NAMES).size).toBe(NAMES.length);
    const headings = [...RUNBOOKS.matchAll(/^### (Isthmus\w+)$/gm)].map(([, name = ""]) => name);
    expect(headings.toSorted()).toEqual(NAMES.toSorted());
    for (const { alert, annotations } of ALERTS) {
      const { pathname, hash } = new URL(annotations.runbook_url);
      expect([pathname, hash]).toEqual(["/docs/monitoring.md", `#${alert.toLowerCase()}`]);
    }
  });
});

describe.each(ALERTS)("$alert", ({ expr, annotations }) => {
  const selectors = selectorsOf(expr);

  it("reads metrics that there are, by labels that they have", () => {
    expect(selectors).not.toEqual([]);
    const labels = new Set(TARGET_LABELS);
    for (const { metric, matchers } of selectors) {
      const own = METRICS.get(metric);
      expect(METRICS.has(metric) ? [] : [metric]).toEqual([]);
      for (const label of own ?? []) labels.add(label);
      for (const { label } of matchers) expect([...(own ?? []), ...TARGET_LABELS]).toContain(label);
    }
    const said = `${annotations.summary} ${annotations.description}`;
    const named = [...said.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label);
    for (const label of [...groupingLabelsOf(expr), ...named]) expect(labels).toContain(label);
  });

  it("names reasons and conditions that there are", () => {
    const named = selectors
      .filter(({ metric }) => !metric.startsWith("isthmus_gateway_"))
      .flatMap(({ matchers }) => matchers)
      .flatMap(({ label, value }) => value.split("|").map((word) => ({ label, word })));
    const wordsOf = (wanted: string) =>
      named.filter(({ label }) => label === wanted).map(({ word }) => word);
    expect(wordsOf("reason").filter((reason) => !isReason(reason))).toEqual([]);
    expect(CONDITION_TYPES).toEqual(expect.arrayContaining(wordsOf("condition")));
  });
});
