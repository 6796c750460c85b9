import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";

const DASHBOARD_FILE = new URL(
  "../../manifests/components/monitoring/dashboard.yaml",
  import.meta.url,
);

const panelSchema = z.object({
  id: z.number(),
  type: z.string(),
  title: z.string(),
  gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
  targets: z.array(z.object({ expr: z.string(), legendFormat: z.string() })).default([]),
});
const dashboardSchema = z.object({
  uid: z.string(),
  templating: z.object({
    list: z.array(z.object({ name: z.string(), definition: z.string().optional() })),
  }),
  panels: z.array(panelSchema),
});

export type Dashboard = z.infer<typeof dashboardSchema>;

/** The dashboard in the ConfigMap of the component `monitoring`. */
export function readDashboard(): Dashboard {
  const configMap = z
    .object({ data: z.object({ "isthmus.json": z.string() }) })
    .parse(parse(readFileSync(DASHBOARD_FILE, "utf8")));
  return dashboardSchema.parse(JSON.parse(configMap.data["isthmus.json"]));
}

/** A query of a panel, as Grafana sends it when everything is chosen. */
export interface DashboardQuery {
  readonly panel: string;
  readonly expr: string;
  readonly legend: string;
}

/**
 * All queries of the dashboard.
 * @param rateSeconds what Grafana would take for the rate interval
 */
export function queriesOf({ panels }: Dashboard, rateSeconds: number): DashboardQuery[] {
  return panels.flatMap(({ title, targets }) =>
    targets.map(({ expr, legendFormat }) => ({
      panel: title,
      legend: legendFormat,
      expr: expr
        .replaceAll("$__rate_interval", `${rateSeconds}s`)
        .replaceAll(/\$(?:cluster|link)\b/g, ".*"),
    })),
  );
}
