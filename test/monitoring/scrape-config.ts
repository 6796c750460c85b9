import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";
import { INSTALL_NAMESPACE } from "../../api/names.ts";
import type { Pod } from "../../api/objects.ts";

const MONITOR_FILE = new URL(
  "../../manifests/components/monitoring/podmonitor.yaml",
  import.meta.url,
);

const monitorSchema = z.object({
  apiVersion: z.literal("monitoring.coreos.com/v1"),
  kind: z.literal("PodMonitor"),
  metadata: z.object({ name: z.string(), namespace: z.literal(INSTALL_NAMESPACE) }),
  spec: z.strictObject({
    jobLabel: z.string(),
    selector: z.strictObject({
      matchExpressions: z.tuple([
        z.strictObject({
          key: z.string(),
          operator: z.literal("In"),
          values: z.array(z.string()),
        }),
      ]),
    }),
    podMetricsEndpoints: z.tuple([
      z.strictObject({
        port: z.string(),
        path: z.string(),
        interval: z.string(),
        scrapeTimeout: z.string(),
      }),
    ]),
  }),
});

/** A pod with the ports of its containers. */
export interface PodWithPorts extends Pod {
  readonly spec?: Pod["spec"] & {
    readonly containers?: readonly {
      readonly name: string;
      readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
    }[];
  };
}

/** What Prometheus' discovery of pods calls their labels: `__meta_kubernetes_pod_…`. */
const META = "__meta_kubernetes_pod";

/**
 * A scrape configuration of Prometheus that chooses and labels the pods of our
 * PodMonitor as the one that the Prometheus operator would write
 * (prometheus-operator, pkg/prometheus/promcfg.go). Debian's Prometheus is
 * built without the discovery of pods: their file comes from {@link targetsOf}.
 */
export function scrapeConfig({
  targetsPath,
  intervalSeconds,
}: {
  targetsPath: string;
  /** Instead of the PodMonitor's. */
  intervalSeconds: number;
}): object {
  const monitor = monitorSchema.parse(parse(readFileSync(MONITOR_FILE, "utf8")));
  const { namespace, name } = monitor.metadata;
  const { jobLabel, selector, podMetricsEndpoints } = monitor.spec;
  const [{ key, values }] = selector.matchExpressions;
  const [{ port, path }] = podMetricsEndpoints;
  return {
    job_name: `podMonitor/${namespace}/${name}/0`,
    honor_labels: false,
    scrape_interval: `${intervalSeconds}s`,
    scrape_timeout: `${intervalSeconds}s`,
    metrics_path: path,
    file_sd_configs: [{ files: [targetsPath] }],
    relabel_configs: [
      keep([`${META}_label_${plain(key)}`], values.join("|")),
      keep([`${META}_container_port_name`], port),
      { source_labels: [`${META}_phase`], regex: "(Failed|Succeeded)", action: "drop" },
      copy("__meta_kubernetes_namespace", "namespace"),
      copy(`${META}_container_name`, "container"),
      copy(`${META}_name`, "pod"),
      { target_label: "job", replacement: `${namespace}/${name}` },
      { ...copy(`${META}_label_${plain(jobLabel)}`, "job"), regex: "(.+)" },
      { target_label: "endpoint", replacement: port },
    ],
  };
}

/**
 * What Prometheus' discovery would say of pods, in the form of its file
 * discovery: one target for each port of each container, not yet chosen or
 * labelled.
 * https://prometheus.io/docs/prometheus/2.42/configuration/configuration/#pod
 */
export function targetsOf(pods: readonly PodWithPorts[]): object[] {
  return pods.flatMap(({ metadata, spec, status }) => {
    const address = status?.podIPs?.[0]?.ip;
    if (address === undefined) return [];
    const ofPod = {
      __meta_kubernetes_namespace: metadata.namespace,
      [`${META}_name`]: metadata.name,
      [`${META}_phase`]: status?.phase,
      ...Object.fromEntries(
        Object.entries(metadata.labels ?? {}).map(([key, value]) => [
          `${META}_label_${plain(key)}`,
          value,
        ]),
      ),
    };
    return (spec?.containers ?? []).flatMap(({ name, ports = [] }) =>
      ports.map((port) => ({
        targets: [`${address}:${port.containerPort}`],
        labels: {
          ...ofPod,
          [`${META}_container_name`]: name,
          [`${META}_container_port_name`]: port.name,
        },
      })),
    );
  });
}

function keep(labels: readonly string[], regex: string): object {
  return { source_labels: labels, regex: `(${regex})`, action: "keep" };
}

function copy(from: string, to: string): object {
  return { source_labels: [from], target_label: to };
}

/** The name of a Kubernetes label in the names of Prometheus' labels. */
function plain(label: string): string {
  return label.replaceAll(/[^a-zA-Z0-9_]/g, "_");
}
