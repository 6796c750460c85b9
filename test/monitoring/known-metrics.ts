import { collectDefaultMetrics, Registry } from "prom-client";
import { declareFailoverMetrics } from "../../controller/failover/metrics.ts";
import { declareLinkMetrics } from "../../controller/metrics.ts";
import { declareMirrorMetrics } from "../../controller/mirror/metrics.ts";
import { declareGatewayMetrics } from "../../gateway/metrics.ts";
import { declareKubeMetrics } from "../../kube/metrics.ts";

/** What a scrape adds to every series, as the PodMonitor says it; `cluster` is for who watches several. */
export const TARGET_LABELS: readonly string[] = [
  "cluster",
  "namespace",
  "pod",
  "container",
  "endpoint",
  "job",
  "instance",
];

const OF_PROMETHEUS: readonly (readonly [string, readonly string[]])[] = [
  ["up", []],
  ["ALERTS", ["alertname", "alertstate", "severity"]],
];

/** The metrics of controller and gateway by the names their series have, each with its own labels. */
export function knownMetrics(): Map<string, readonly string[]> {
  const registry = new Registry();
  declareKubeMetrics(registry);
  declareLinkMetrics(registry);
  declareMirrorMetrics(registry);
  declareFailoverMetrics(registry);
  declareGatewayMetrics(registry);
  collectDefaultMetrics({ register: registry });
  const known = new Map<string, readonly string[]>(OF_PROMETHEUS);
  for (const metric of registry.getMetricsAsArray()) {
    const { name, type, labelNames }: { name: string; type: unknown; labelNames?: unknown } =
      Object.assign({}, metric);
    const labels = Array.isArray(labelNames) ? labelNames.map(String) : [];
    if (String(type) !== "histogram") known.set(name, labels);
    else {
      known.set(`${name}_bucket`, [...labels, "le"]);
      known.set(`${name}_count`, labels);
      known.set(`${name}_sum`, labels);
    }
  }
  return known;
}
