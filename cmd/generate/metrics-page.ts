import { Registry } from "prom-client";
import { declareFailoverMetrics } from "../../controller/failover/metrics.ts";
import { declareLinkMetrics } from "../../controller/metrics.ts";
import { declareMirrorMetrics } from "../../controller/mirror/metrics.ts";
import { declareGatewayMetrics } from "../../gateway/metrics.ts";
import { declareKubeMetrics } from "../../kube/metrics.ts";
import { table } from "./markdown.ts";

/** Where each group of metrics is declared, and which process has it. */
const GROUPS: readonly (readonly [title: string, declare: (registry: Registry) => unknown])[] = [
  ["Controller and gateway: the cluster's API", declareKubeMetrics],
  ["Controller: links", declareLinkMetrics],
  ["Controller: mirrors", declareMirrorMetrics],
  ["Controller: failover", declareFailoverMetrics],
  ["Gateway", declareGatewayMetrics],
];

/** docs/METRICS.md, from what the code declares. */
export async function metricsPage(): Promise<string> {
  const sections = await Promise.all(
    GROUPS.map(async ([title, declare]) => {
      const registry = new Registry();
      declare(registry);
      return `## ${title}\n\n${table(["Metric", "Type", "Labels", "Meaning"], await rowsOf(registry))}`;
    }),
  );
  return [
    "# Metrics",
    "The controller serves its metrics at `/metrics` on port 15030, the gateway on port 15020, in the Prometheus text format.",
    ...sections,
    "",
  ].join("\n\n");
}

async function rowsOf(registry: Registry): Promise<string[][]> {
  const metrics = await registry.getMetricsAsJSON();
  return metrics
    .map(({ name, type, help }) => [
      `\`${name}\``,
      // The type's declaration says enum; at run time it is the word.
      String(type),
      labelsOf(registry, name).join(", "),
      help,
    ])
    .toSorted(([a = ""], [b = ""]) => (a < b ? -1 : 1));
}

/** prom-client keeps the names of a metric's labels to itself, so they are read past its types. */
function labelsOf(registry: Registry, name: string): string[] {
  const metric: unknown = registry.getSingleMetric(name);
  if (typeof metric !== "object" || metric === null || !("labelNames" in metric)) return [];
  return Array.isArray(metric.labelNames) ? metric.labelNames.map(String) : [];
}
