import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";

const RULES_FILE = new URL(
  "../../manifests/components/monitoring/prometheusrule.yaml",
  import.meta.url,
);

const alertSchema = z.strictObject({
  alert: z.string(),
  expr: z.string(),
  for: z.string().optional(),
  labels: z.strictObject({ severity: z.enum(["critical", "warning", "info"]) }),
  annotations: z.strictObject({
    summary: z.string(),
    description: z.string(),
    runbook_url: z.url(),
  }),
});
const ruleSchema = z.object({
  apiVersion: z.literal("monitoring.coreos.com/v1"),
  kind: z.literal("PrometheusRule"),
  spec: z.strictObject({
    groups: z.array(z.strictObject({ name: z.string(), rules: z.array(alertSchema) })),
  }),
});

export type Alert = z.infer<typeof alertSchema>;

/** Alerts as Prometheus reads them from a rule file. */
export interface AlertGroups {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Alert[] }[];
}

/** The alerts that the component `monitoring` installs. */
export function readAlertGroups(): AlertGroups {
  return ruleSchema.parse(parse(readFileSync(RULES_FILE, "utf8"))).spec;
}

/** All alerts of the groups. */
export function alertsOf({ groups }: AlertGroups): Alert[] {
  return groups.flatMap(({ rules }) => rules);
}

/** A text of an expression that is another one while the rules are hurried. */
export type Change = readonly [from: string, to: string];

/**
 * The same alerts for a test of seconds: every range and every `for` is cut to
 * the given length; then `changes` puts levels where a test can reach them, by
 * the alert's name.
 * @throws Error when a change does not apply to its alert.
 */
export function hurried(
  { groups }: AlertGroups,
  { rangeSeconds, forSeconds }: { rangeSeconds: number; forSeconds: number },
  changes: Readonly<Record<string, Change>>,
): AlertGroups {
  return {
    groups: groups.map(({ name, rules }) => ({
      name,
      rules: rules.map((rule) => {
        const short = rule.expr
          .replaceAll(/\[\d+[a-z]+\]/g, `[${rangeSeconds}s]`)
          .replaceAll(/\[\d+[a-z]+:\d+[a-z]+\]/g, `[${rangeSeconds}s:1s]`)
          .replaceAll(/offset \d+[a-z]+/g, `offset ${rangeSeconds}s`);
        const [from, to] = changes[rule.alert] ?? ["", ""];
        if (!short.includes(from)) throw new Error(`${rule.alert} has no "${from}"`);
        const expr = short.replace(from, to);
        return { ...rule, expr, ...(rule.for !== undefined && { for: `${forSeconds}s` }) };
      }),
    })),
  };
}
