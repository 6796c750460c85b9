import { clusterNameOf, type Link, linkSpecSchema } from "../../../api/link.ts";
import {
  ANNOTATIONS,
  CONFIG_CLUSTER_NAME_KEY,
  CONFIG_MAP_NAME,
  INSTALL_NAMESPACE,
  LABELS,
  MANAGED_BY,
} from "../../../api/names.ts";
import { type ConfigMap, type KubeObject, keyOf, type Service } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { isApiError } from "../../../kube/client/api-error.ts";
import { CliError } from "../cli-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { currentConditions } from "../join/link-ready.ts";
import { listAll } from "../list-all.ts";
import type { LinkReport, MirrorReport, StatusReport } from "./report.ts";
import { skippedServices } from "./skipped.ts";

export interface StatusOptions {
  access: ClusterAccess;
  /** Only this Link, and what is of it. */
  linkName?: string | undefined;
  signal: AbortSignal;
}

/**
 * Reads the state of links, mirrors and peers.
 * @throws CliError when Isthmus is not installed, or there is no Link of that name.
 */
export async function readStatus({
  access,
  linkName,
  signal,
}: StatusOptions): Promise<StatusReport> {
  const { client, contextName } = access;
  const inSystem = { namespace: INSTALL_NAMESPACE };
  const selector = linkName === undefined ? LABELS.link : `${LABELS.link}=${linkName}`;
  const configKey = { ...inSystem, name: CONFIG_MAP_NAME };
  const [links, services, events, peers, config] = await Promise.all([
    listLinks(access, signal),
    listAll<Service>(access, RESOURCES.services, {
      labelSelector: `${LABELS.managedBy}=${MANAGED_BY},${selector}`,
      signal,
    }),
    listAll(access, RESOURCES.events, { ...inSystem, signal }),
    listAll(access, RESOURCES.peers, { ...inSystem, signal }),
    client.find<ConfigMap>(RESOURCES.configMaps, configKey, { signal }),
  ]);
  const chosen = links.filter(
    ({ metadata }) => linkName === undefined || metadata.name === linkName,
  );
  if (linkName !== undefined && chosen.length === 0) {
    const known = links.map(({ metadata }) => metadata.name);
    throw new CliError(`context ${contextName}: Link ${linkName} does not exist`, {
      fix:
        known.length > 0
          ? `one of: ${known.join(", ")}`
          : `link join PROVIDER --context ${contextName}`,
    });
  }
  const mirrors = services.map(mirrorReport).toSorted((a, b) => compare(a.mirror, b.mirror));
  const reports = chosen.map(linkReport).toSorted((a, b) => compare(a.name, b.name));
  return {
    cluster: config?.data?.[CONFIG_CLUSTER_NAME_KEY] ?? "",
    links: reports,
    mirrors,
    skipped: skippedServices(events, reports, mirrors),
    peers: linkName === undefined ? peers.map(peerReport) : [],
  };
}

/**
 * Every Link of a cluster.
 * @throws CliError when Isthmus is not installed.
 */
export async function listLinks(access: ClusterAccess, signal: AbortSignal): Promise<Link[]> {
  try {
    return await listAll<Link>(access, RESOURCES.links, { namespace: INSTALL_NAMESPACE, signal });
  } catch (error) {
    if (!isApiError(error, 404)) throw error;
    throw new CliError(`context ${access.contextName}: Isthmus is not installed there`, {
      fix: `link install --context ${access.contextName}`,
      cause: error,
    });
  }
}

/** A Link in the words of `link status`. */
export function linkReport(link: Link): LinkReport {
  const { metadata, status = {} } = link;
  const spec = linkSpecSchema.safeParse(link.spec);
  const conditions = currentConditions(link);
  const ready = conditions.find(({ type }) => type === "Ready");
  const port = status.gatewayPort === undefined ? "" : `:${status.gatewayPort}`;
  return {
    name: metadata.name,
    cluster: spec.success ? clusterNameOf(link, spec.data) : metadata.name,
    ready: ready?.status ?? "Unknown",
    reason: metadata.deletionTimestamp === undefined ? (ready?.reason ?? "Pending") : "Deleting",
    message: ready?.message ?? "the controller has not looked at it yet",
    mirrored: status.mirroredServices ?? 0,
    skipped: status.skippedServices ?? 0,
    gateway: (status.gatewayAddresses ?? []).map((address) => withPort(address, port)),
    createdAt: metadata.creationTimestamp ?? "",
    conditions,
  };
}

function withPort(address: string, port: string): string {
  return address.includes(":") && port !== "" ? `[${address}]${port}` : `${address}${port}`;
}

function mirrorReport(service: Service): MirrorReport {
  const { labels = {}, annotations = {} } = service.metadata;
  return {
    link: labels[LABELS.link] ?? "",
    source: annotations[ANNOTATIONS.source] ?? "",
    mirror: keyOf(service),
    state: annotations[ANNOTATIONS.state] ?? "unknown",
    reason: annotations[ANNOTATIONS.stateReason] ?? "",
    message: annotations[ANNOTATIONS.stateMessage] ?? "",
  };
}

function peerReport({ metadata }: KubeObject) {
  return { name: metadata.name, createdAt: metadata.creationTimestamp ?? "" };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
