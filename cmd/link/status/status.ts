import { CONTROLLER_HEALTH_PORT, CONTROLLER_NAME, INSTALL_NAMESPACE } from "../../../api/names.ts";
import type { KubeObject, Service } from "../../../api/objects.ts";
import { isOurs } from "../../../api/ownership.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import type { InstallationRecord } from "../install/manifests.ts";
import { listInScope, tryInstallation } from "../installation.ts";
import { chooseLinks } from "../links.ts";
import { listAll } from "../list-all.ts";
import type { Metrics } from "../metrics-text.ts";
import { ReadingGaps } from "../not-read.ts";
import { type PodMetrics, readPodMetrics } from "../pod-metrics.ts";
import { certificatesOf, linkDetails } from "./link-report.ts";
import { mirrorReport, mirrorSelector } from "./mirrors.ts";
import type { MirrorReport, StatusReport } from "./report.ts";
import { readSkipEvents, skippedServices } from "./skipped.ts";

export interface StatusOptions {
  access: ClusterAccess;
  /** Only this Link, and what is of it. */
  linkName?: string | undefined;
  signal: AbortSignal;
}

/**
 * Reads the state of links, mirrors and peers. What cannot be read besides the
 * Links is left out, and the report says so.
 * @throws CliError when Isthmus is not installed, the Links cannot be read, or there is none of that name.
 */
export async function readStatus(options: StatusOptions): Promise<StatusReport> {
  const { access, linkName, signal } = options;
  const links = await chooseLinks(access, linkName, signal);
  const gaps = new ReadingGaps(signal);
  const inSystem = { namespace: INSTALL_NAMESPACE, signal };
  const installation = await tryInstallation(access, gaps, signal);
  const [mirrors, events, peers, controllers] = await Promise.all([
    gaps.orElse("mirrors", readMirrors(options, installation), []),
    readSkipEvents(access, gaps, signal),
    gaps.orElse("Peers", listAll(access, RESOURCES.peers, inSystem), []),
    readPodMetrics({
      access,
      app: CONTROLLER_NAME,
      port: CONTROLLER_HEALTH_PORT,
      gaps,
      signal,
    }),
  ]);
  const metrics = leaderOf(controllers);
  const details = links.map((link) => linkDetails(link, mirrors, metrics));
  return {
    cluster: installation.clusterName ?? "",
    links: details,
    mirrors,
    skipped: skippedServices(events, details, mirrors),
    peers: linkName === undefined ? peers.map(peerReport) : [],
    certificates: linkName === undefined ? certificatesOf(metrics) : [],
    notRead: gaps.list,
  };
}

async function readMirrors(
  { access, linkName, signal }: StatusOptions,
  installation: InstallationRecord,
): Promise<MirrorReport[]> {
  const services = await listInScope<Service>(access, RESOURCES.services, {
    installation,
    labelSelector: mirrorSelector(linkName),
    signal,
  });
  return services
    .filter(isOurs)
    .map(mirrorReport)
    .toSorted((a, b) => (a.mirror < b.mirror ? -1 : 1));
}

/** The metrics of the replica that leads: only it knows the links. */
function leaderOf(controllers: readonly PodMetrics[]): Metrics | undefined {
  return controllers.find(({ metrics }) => metrics?.sum("isthmus_leader") === 1)?.metrics;
}

function peerReport({ metadata }: KubeObject) {
  return { name: metadata.name, createdAt: metadata.creationTimestamp ?? "" };
}
