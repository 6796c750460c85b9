import { decideExport, type ExportOffer, isOfferedTo } from "../../../api/export.ts";
import { ANNOTATIONS, CLI_FIELD_MANAGER, INSTALL_NAMESPACE } from "../../../api/names.ts";
import type { Service, ServicePort } from "../../../api/objects.ts";
import type { Peer } from "../../../api/peer.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { isApiError } from "../../../kube/client/api-error.ts";
import { CliError } from "../cli-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { readInstallation } from "../installation.ts";
import { listAll } from "../list-all.ts";
import { serviceNotFound } from "../not-found.ts";
import type { Reporter } from "../reporter.ts";

export interface ServiceTarget {
  access: ClusterAccess;
  namespace: string;
  name: string;
  reporter: Reporter;
  signal: AbortSignal;
}

export interface ExportOptions extends ServiceTarget {
  /** Consumers by cluster name; undefined: every Peer. */
  to?: readonly string[] | undefined;
  /** Port names or numbers; undefined: every TCP port. */
  ports?: readonly string[] | undefined;
}

/**
 * Exports a Service by its annotations and tells where it will appear.
 * @throws CliError when Isthmus is not installed, or there is no such Service, or it cannot be exported;
 * nothing is changed then.
 */
export async function exportService(options: ExportOptions): Promise<ExportOffer> {
  const { access, reporter, to, ports } = options;
  const peers = await findPeers(options);
  const service = await getService(options);
  const changes = {
    [ANNOTATIONS.export]: "true",
    [ANNOTATIONS.exportTo]: to?.join(",") ?? null,
    [ANNOTATIONS.exportPorts]: ports?.join(",") ?? null,
  };
  const decision = decideExport(withAnnotations(service, changes));
  if (decision.kind !== "exported") {
    throw new CliError(decision.kind === "refused" ? decision.refusal.message : "not exported", {
      fix: `the Service is left as it is; its ports: ${(service.spec?.ports ?? []).map(portTitle).join(", ")}`,
    });
  }
  await annotate(options, changes);
  const { offer } = decision;
  const titles = offer.ports.map(portTitle).join(", ");
  reporter.done(`Service ${options.namespace}/${options.name} is exported: ${titles}`);
  if (offer.unknownPorts.length > 0) {
    reporter.warn(
      `the Service has no port ${offer.unknownPorts.join(", ")}; it counts once it has`,
    );
  }
  if (offer.omittedPorts.length > 0) {
    reporter.warn(
      `left out, since only TCP is mirrored: ${offer.omittedPorts.map(portTitle).join(", ")}`,
    );
  }
  await tellWhere(options, offer, peers);
  reporter.next(
    "link status --context CONSUMER",
    `Next, see it arrive in a consumer (undo: link unexport svc/${options.name} -n ${options.namespace} --context ${access.contextName})`,
  );
  return offer;
}

/**
 * Takes an export back; the mirrors in the consumers go.
 * @returns whether it was exported before.
 * @throws CliError when there is no such Service.
 */
export async function unexportService(options: ServiceTarget): Promise<boolean> {
  const { reporter, namespace, name } = options;
  const { annotations = {} } = (await getService(options)).metadata;
  const keys = [ANNOTATIONS.export, ANNOTATIONS.exportTo, ANNOTATIONS.exportPorts];
  if (!keys.some((key) => key in annotations)) {
    reporter.done(`Service ${namespace}/${name} is not exported; nothing to do`);
    return false;
  }
  await annotate(options, Object.fromEntries(keys.map((key) => [key, null])));
  reporter.done(`Service ${namespace}/${name} is no longer exported; its mirrors are removed`);
  return true;
}

async function getService({ access, namespace, name, signal }: ServiceTarget): Promise<Service> {
  try {
    return await access.client.get<Service>(RESOURCES.services, { namespace, name }, { signal });
  } catch (error) {
    if (!isApiError(error, 404)) throw error;
    throw await serviceNotFound(access, { namespace, name }, signal);
  }
}

function withAnnotations(service: Service, changes: Record<string, string | null>): Service {
  const annotations = { ...service.metadata.annotations };
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) delete annotations[key];
    else annotations[key] = value;
  }
  return { ...service, metadata: { ...service.metadata, annotations } };
}

async function annotate(
  { access, namespace, name, signal }: ServiceTarget,
  annotations: Record<string, string | null>,
): Promise<void> {
  await access.client.patch(
    RESOURCES.services,
    { namespace, name },
    { metadata: { annotations } },
    { type: "merge", fieldManager: CLI_FIELD_MANAGER, signal },
  );
}

function portTitle({ name, port, protocol = "TCP" }: ServicePort): string {
  const number = protocol === "TCP" ? `${port}` : `${port}/${protocol}`;
  return name === undefined ? number : `${name} (${number})`;
}

/**
 * Names of the clusters that may call this one; undefined where that may not be
 * read: who may annotate a Service need not see Isthmus's own namespace.
 */
async function findPeers({ access, signal }: ServiceTarget): Promise<string[] | undefined> {
  const query = { namespace: INSTALL_NAMESPACE, signal };
  try {
    const peers = await listAll<Peer>(access, RESOURCES.peers, query);
    return peers.map(({ metadata }) => metadata.name);
  } catch (error) {
    if (isApiError(error, 403)) return undefined;
    throw error;
  }
}

/** A Peer is a consumer that may call; only those that are Peers get the Service. */
async function tellWhere(
  { access, namespace, name, reporter, signal }: ExportOptions,
  offer: ExportOffer,
  peers: readonly string[] | undefined,
): Promise<void> {
  if (peers === undefined) {
    reporter.info(
      `which clusters are joined is not for this user to see (Peers in ${INSTALL_NAMESPACE})`,
    );
    return;
  }
  const { clusterName: cluster = "CLUSTER" } = await readInstallation(access, signal);
  const reached = peers.filter((peer) => isOfferedTo(offer, peer));
  const absent =
    offer.consumers === "all"
      ? []
      : [...offer.consumers].filter((consumer) => !peers.includes(consumer));
  if (reached.length > 0) {
    reporter.info(
      `it appears in ${reached.join(", ")} as ${name}-${cluster}.${namespace}.svc, unless a Link there names its mirrors otherwise`,
    );
  }
  if (absent.length > 0) reporter.warn(`not joined to this cluster yet: ${absent.join(", ")}`);
  if (peers.length === 0) {
    reporter.warn(
      `no cluster is joined to this one yet: link join ${access.contextName} --context CONSUMER`,
    );
  }
}
