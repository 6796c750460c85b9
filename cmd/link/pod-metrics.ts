import { INSTALL_NAMESPACE, LABELS } from "../../api/names.ts";
import type { Pod } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import { resourcePath } from "../../kube/client/resource-path.ts";
import { toCliError } from "./cli-error.ts";
import type { ClusterAccess } from "./cluster-access.ts";
import { listAll } from "./list-all.ts";
import { Metrics } from "./metrics-text.ts";
import type { ReadingGaps } from "./not-read.ts";

const SCRAPE_TIMEOUT_MS = 5000;
/** By which the API server's proxy says that it has no connection to a pod. */
const UNREACHABLE = /error trying to reach service: (.*)/;

/** What one of our pods shows of itself. */
export interface PodMetrics {
  readonly pod: string;
  /** Empty before it has one. */
  readonly node: string;
  readonly ready: boolean;
  /** Undefined where they could not be read. */
  readonly metrics: Metrics | undefined;
}

export interface PodMetricsOptions {
  access: ClusterAccess;
  /** Value of `app.kubernetes.io/name` on the pods. */
  app: string;
  /** On which they serve `/metrics`. */
  port: number;
  gaps: ReadingGaps;
  signal: AbortSignal;
}

/** A pod, or why it shows nothing. */
interface Scrape {
  readonly about: PodMetrics;
  readonly why?: string;
  /** The API server could not connect to it. */
  readonly unreachable?: boolean;
}

/**
 * Reads the metrics of all pods of the controller or of the gateways, through
 * the API server: who asks needs the right to get `pods/proxy`. What cannot be
 * read is added to `gaps`; once for all pods that the API server cannot reach.
 */
export async function readPodMetrics(options: PodMetricsOptions): Promise<PodMetrics[]> {
  const { access, app, gaps, signal } = options;
  const listing = listAll<Pod>(access, RESOURCES.pods, {
    namespace: INSTALL_NAMESPACE,
    labelSelector: `${LABELS.name}=${app}`,
    signal,
  });
  const pods = await gaps.orElse(`pods of ${app}`, listing, undefined);
  if (pods?.length === 0) gaps.add(`metrics of ${app}`, "it has no pod");
  const scrapes = await Promise.all((pods ?? []).map((pod) => scrape(pod, options)));
  const [unreachable] = scrapes.filter((each) => each.unreachable);
  if (unreachable !== undefined) {
    gaps.add(
      `metrics of ${app}`,
      `the API server of context ${access.contextName} cannot reach its pods (${unreachable.why ?? ""})`,
    );
  }
  for (const { about, why, unreachable: isUnreachable = false } of scrapes) {
    if (why !== undefined && !isUnreachable) gaps.add(`metrics of pod ${about.pod}`, why);
  }
  return scrapes.map(({ about }) => about).toSorted((a, b) => (a.pod < b.pod ? -1 : 1));
}

async function scrape(
  { metadata, spec = {}, status = {} }: Pod,
  { access, port, signal }: PodMetricsOptions,
): Promise<Scrape> {
  const { name } = metadata;
  const { phase = "Unknown", conditions = [] } = status;
  const about = {
    pod: name,
    node: spec.nodeName ?? "",
    ready: conditions.some((each) => each.type === "Ready" && each.status === "True"),
    metrics: undefined,
  };
  if (phase !== "Running") return { about, why: `the pod is ${phase}` };
  const pods = resourcePath(RESOURCES.pods, { namespace: INSTALL_NAMESPACE });
  try {
    const text = await access.client.request<string>({
      method: "GET",
      path: `${pods}/${name}:${port}/proxy/metrics`,
      accept: "text/plain",
      timeoutMs: SCRAPE_TIMEOUT_MS,
      signal,
    });
    return { about: { ...about, metrics: new Metrics(text) } };
  } catch (error) {
    signal.throwIfAborted();
    const { message } = toCliError(error);
    const [, detail] = UNREACHABLE.exec(message) ?? [];
    return detail === undefined
      ? { about, why: message }
      : { about, why: detail, unreachable: true };
  }
}
