import { decideExport, type ExportOffer, isOfferedTo } from "../../../api/export.ts";
import {
  ANNOTATIONS,
  CLI_FIELD_MANAGER,
  CONFIG_CLUSTER_NAME_KEY,
  CONFIG_MAP_NAME,
  INSTALL_NAMESPACE,
} from "../../../api/names.ts";
import type { ConfigMap, Service, ServicePort } from "../../../api/objects.ts";
import type { Peer } from "../../../api/peer.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { isApiError } from "../../../kube/client/api-error.ts";
import { CliError } from "../cli-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
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
 * @throws CliError when there is no such Service or it cannot be exported; nothing is changed then.
 */
export async function exportService(options: ExportOptions): Promise<ExportOffer> {
  const { access, reporter, to, ports } = options;
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
  await tellWhere(options, offer);
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
    throw new CliError(
      `context ${access.contextName}: Service ${namespace}/${name} does not exist`,
      {
        fix: `look for it: kubectl --context ${access.contextName} get services --all-namespaces`,
        cause: error,
      },
    );
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

/** A Peer is a consumer that may call; only those that are Peers get the Service. */
async function tellWhere(
  { access, namespace, name, reporter, signal }: ExportOptions,
  offer: ExportOffer,
): Promise<void> {
  const { client } = access;
  const inSystem = { namespace: INSTALL_NAMESPACE };
  const { items } = await client.list<Peer>(RESOURCES.peers, { ...inSystem, signal });
  const key = { ...inSystem, name: CONFIG_MAP_NAME };
  const config = await client.find<ConfigMap>(RESOURCES.configMaps, key, { signal });
  const cluster = config?.data?.[CONFIG_CLUSTER_NAME_KEY] ?? "CLUSTER";
  const peers = items.map(({ metadata }) => metadata.name);
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
