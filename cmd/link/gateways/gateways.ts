import { toKubeTime } from "../../../api/conditions.ts";
import { GATEWAY_HEALTH_PORT, GATEWAY_NAME } from "../../../api/names.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { tryInstallation } from "../installation.ts";
import { chooseLinks } from "../links.ts";
import type { Metrics } from "../metrics-text.ts";
import { ReadingGaps } from "../not-read.ts";
import { type PodMetrics, readPodMetrics } from "../pod-metrics.ts";
import type {
  AddressReport,
  ConsumerReport,
  GatewaysReport,
  PodReport,
  Traffic,
} from "./report.ts";

export interface GatewaysOptions {
  access: ClusterAccess;
  /** Only this Link's addresses, and no consumers. */
  linkName?: string | undefined;
  signal: AbortSignal;
}

type Labels = Readonly<Record<string, string>>;

const METRICS = {
  linkUp: "isthmus_gateway_link_up",
  sessions: "isthmus_gateway_sessions",
  ping: "isthmus_gateway_ping_rtt_seconds",
  addressStreams: "isthmus_gateway_address_streams",
  addressBytes: "isthmus_gateway_address_bytes_total",
  ingressSessions: "isthmus_gateway_ingress_sessions",
  streams: "isthmus_gateway_active_streams",
  bytes: "isthmus_gateway_bytes_total",
  draining: "isthmus_gateway_draining",
  leafNotAfter: "isthmus_gateway_leaf_not_after_seconds",
} as const;

/**
 * Reads from the gateways' metrics how their sessions stand. A pod whose
 * metrics cannot be read is named in the report.
 * @throws CliError when Isthmus is not installed, or there is no Link of that name.
 */
export async function readGateways(options: GatewaysOptions): Promise<GatewaysReport> {
  const { access, linkName, signal } = options;
  const gaps = new ReadingGaps(signal);
  await chooseLinks(access, linkName, signal);
  const [installation, pods] = await Promise.all([
    tryInstallation(access, gaps, signal),
    readPodMetrics({ access, app: GATEWAY_NAME, port: GATEWAY_HEALTH_PORT, gaps, signal }),
  ]);
  return {
    cluster: installation.clusterName ?? "",
    addresses: addressesOf(pods, linkName),
    consumers: linkName === undefined ? consumersOf(pods) : [],
    gateways: pods.map(podReport),
    notRead: gaps.list,
  };
}

/** One entry for each pod and address, by Link and address. */
function addressesOf(pods: readonly PodMetrics[], linkName?: string): AddressReport[] {
  const reports = pods.flatMap(({ pod, metrics }) =>
    metrics === undefined
      ? []
      : metrics
          .labelValues(METRICS.linkUp, "link")
          .filter((link) => linkName === undefined || link === linkName)
          .flatMap((link) => addressesOfLink(pod, link, metrics)),
  );
  return reports.toSorted((a, b) => compare(idOf(a), idOf(b)));
}

/** One entry for each pod and consumer that has sessions with it, by consumer. */
function consumersOf(pods: readonly PodMetrics[]): ConsumerReport[] {
  const reports = pods.flatMap(({ pod, metrics }) => {
    if (metrics === undefined) return [];
    return metrics.labelValues(METRICS.ingressSessions, "consumer").map((consumer) => {
      const labels = { role: "ingress", link: consumer };
      const traffic = trafficOf(metrics, [METRICS.streams, METRICS.bytes], labels);
      const { streams = 0, sentBytes = 0, receivedBytes = 0 } = traffic;
      const sessions = metrics.sum(METRICS.ingressSessions, { consumer }) ?? 0;
      // A series begins with the first connection.
      return { consumer, pod, sessions, streams, sentBytes, receivedBytes };
    });
  });
  return reports.toSorted((a, b) => compare(`${a.consumer} ${a.pod}`, `${b.consumer} ${b.pod}`));
}

function addressesOfLink(pod: string, link: string, metrics: Metrics): AddressReport[] {
  const addresses = metrics.labelValues(METRICS.sessions, "address", { link });
  return (addresses.length === 0 ? [""] : addresses).map((address) => {
    const labels = { link, address };
    const count = (state: string) => metrics.sum(METRICS.sessions, { ...labels, state }) ?? 0;
    const live = count("live");
    const trying = count("connecting") + count("replacing") > 0;
    return {
      link,
      address,
      pod,
      state: live > 0 ? "up" : trying ? "connecting" : "down",
      sessions: live,
      rttMs: toMs(metrics.quantile(METRICS.ping, 0.5, labels)),
      rttP99Ms: toMs(metrics.quantile(METRICS.ping, 0.99, labels)),
      ...trafficOf(metrics, [METRICS.addressStreams, METRICS.addressBytes], labels),
    };
  });
}

function trafficOf(
  metrics: Metrics,
  [streams, bytes]: readonly [string, string],
  labels: Labels,
): Traffic {
  return {
    streams: metrics.sum(streams, labels),
    sentBytes: metrics.sum(bytes, { ...labels, direction: "toRemote" }),
    receivedBytes: metrics.sum(bytes, { ...labels, direction: "toLocal" }),
  };
}

function podReport({ pod, node, ready, metrics }: PodMetrics): PodReport {
  const notAfterSeconds = metrics?.sum(METRICS.leafNotAfter) ?? 0;
  return {
    pod,
    node,
    ready,
    draining: metrics?.sum(METRICS.draining) === 1,
    certificateExpiresAt: notAfterSeconds === 0 ? undefined : toKubeTime(notAfterSeconds * 1000),
  };
}

function toMs(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.round(seconds * 1e6) / 1000;
}

function idOf({ link, address, pod }: AddressReport): string {
  return `${link} ${address} ${pod}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
