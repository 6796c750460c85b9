import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { stringify } from "yaml";
import type { AlertCase } from "./alert-case.ts";
import type { Alert, AlertGroups } from "./rules.ts";

const RULES = "rules.yaml";
const STEP = "15s";

/** What promtool says of the rules: empty when it finds nothing wrong. */
export function problemsOf(groups: AlertGroups): string {
  return promtool({ [RULES]: groups }, ["check", "rules", "--lint-fatal", RULES]);
}

/**
 * What promtool finds different from what the cases expect; empty when all is
 * as expected. Each case is evaluated with its own alert alone: all of them
 * take promtool ten times as long.
 */
export function failuresOf({ groups }: AlertGroups, cases: readonly AlertCase[]): string {
  const rules = new Map(groups.flatMap(({ rules: all }) => all.map((rule) => [rule.alert, rule])));
  const files: Record<string, unknown> = {};
  for (const [index, { alert, when, ...each }] of cases.entries()) {
    const rule = rules.get(alert);
    if (rule === undefined) throw new Error(`there is no alert ${alert}`);
    files[`${alert}.yaml`] = { groups: [{ name: alert, rules: [rule] }] };
    files[`case-${index}.yaml`] = {
      rule_files: [`${alert}.yaml`],
      evaluation_interval: each.interval ?? STEP,
      tests: [{ name: when, ...testOf(rule, each) }],
    };
  }
  return promtool(files, ["test", "rules", ...cases.map((_, index) => `case-${index}.yaml`)]);
}

function testOf(
  { alert, labels: { severity } }: Alert,
  { interval = STEP, series, quietAt, fires }: Omit<AlertCase, "alert" | "when">,
): object {
  const labels = { alertname: alert, alertstate: "firing", severity, ...fires.labels };
  const expr = `ALERTS{alertname="${alert}", alertstate="firing"}`;
  return {
    interval,
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    promql_expr_test: [
      ...quietAt.map((at) => ({ expr, eval_time: at })),
      {
        expr,
        eval_time: fires.at,
        exp_samples: [{ labels: seriesOf("ALERTS", labels), value: 1 }],
      },
    ],
  };
}

function seriesOf(name: string, labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return `${name}{${pairs.join(", ")}}`;
}

function promtool(files: Readonly<Record<string, unknown>>, args: readonly string[]): string {
  const folder = mkdtempSync(path.join(tmpdir(), "isthmus-promtool-"));
  try {
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(path.join(folder, name), stringify(content, { lineWidth: 0 }));
    }
    const options = { cwd: folder, encoding: "utf8", timeout: 60_000 } as const;
    const { status, stdout, stderr, error } = spawnSync("promtool", args, options);
    if (error !== undefined) throw error;
    return status === 0 ? "" : `promtool ended with ${status}:\n${stdout}${stderr}`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
