import { asksForFailover, readFailover } from "../../../api/failover.ts";
import {
  ANNOTATIONS,
  CONFIG_CLUSTER_NAME_KEY,
  CONFIG_MAP_NAME,
  INSTALL_NAMESPACE,
  LABELS,
  MANAGED_BY,
} from "../../../api/names.ts";
import { type ConfigMap, keyOf, type Service } from "../../../api/objects.ts";
import type { Source } from "../../../api/ownership.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { isApiError } from "../../../kube/client/api-error.ts";
import { CliError } from "../cli-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { listLinks } from "../links.ts";
import { listAll } from "../list-all.ts";
import { requireNamespace, serviceNotFound } from "../not-found.ts";
import { listEach, listSlicesOf } from "../service-slices.ts";
import { skippedServices } from "../status/skipped.ts";
import { linkReport } from "../status/link-report.ts";
import { assessService } from "./assess.ts";
import { KnownTargets } from "./known-targets.ts";
import type { FailoverReport } from "./report.ts";

export interface FailoverOptions {
  access: ClusterAccess;
  /** Only Services of this namespace; undefined: of all. */
  namespace?: string | undefined;
  /** Only Services of this name. */
  name?: string | undefined;
  signal: AbortSignal;
}

/**
 * Reads how the Services that ask for failover stand, from the objects as they
 * are now. EndpointSlices are read of those Services only.
 *
 * @throws CliError when Isthmus is not installed, or a namespace or Service is named
 * that does not exist or does not ask for failover.
 */
export async function readFailovers(options: FailoverOptions): Promise<FailoverReport> {
  const { access, signal } = options;
  const configKey = { namespace: INSTALL_NAMESPACE, name: CONFIG_MAP_NAME };
  const services = await listServices(options);
  const [links, config] = await Promise.all([
    listLinks(access, signal),
    access.client.find<ConfigMap>(RESOURCES.configMaps, configKey, { signal }),
  ]);
  const ownCluster = config?.data?.[CONFIG_CLUSTER_NAME_KEY] ?? "";
  const asking = services.filter(asksForFailover);
  if (asking.length === 0 && options.name !== undefined) {
    const [service] = services;
    if (service !== undefined) throw notAsking(access, service);
    const { namespace, name } = options;
    throw await serviceNotFound(access, { namespace, name }, signal);
  }
  if (services.length === 0 && options.namespace !== undefined) {
    await requireNamespace(access, options.namespace, signal);
  }
  const targets = asking.flatMap((service) => targetsOf(service, ownCluster));
  const [mirrors, slices] = await Promise.all([
    listMirrors(options, targets),
    listSlicesOf(access, asking, signal),
  ]);
  const known = new KnownTargets(links, mirrors);
  if (targets.map((target) => known.factsOf(target)).some(({ link, mirror }) => link && !mirror)) {
    const inSystem = { namespace: INSTALL_NAMESPACE, signal };
    const events = await listAll(access, RESOURCES.events, inSystem);
    // What has a mirror by now is not looked up.
    known.learn(skippedServices(events, links.map(linkReport), []));
  }
  const reports = asking.toSorted(byKey).flatMap((service) => {
    const around = slices.get(keyOf(service)) ?? [];
    return assessService(service, { ownCluster, slices: around, known }) ?? [];
  });
  return { services: reports };
}

async function listServices(options: FailoverOptions): Promise<Service[]> {
  const { access, namespace, name, signal } = options;
  try {
    return await listAll<Service>(access, RESOURCES.services, {
      ...(namespace !== undefined && { namespace }),
      ...(name !== undefined && { fieldSelector: `metadata.name=${name}` }),
      signal,
    });
  } catch (error) {
    if (!isApiError(error, 403) || namespace !== undefined) throw error;
    throw new CliError(error.body?.message ?? error.message, {
      fix: "name a namespace whose Services you may list with -n, or use a context whose user may list those of all",
      cause: error,
    });
  }
}

function targetsOf(service: Service, ownCluster: string): readonly Source[] {
  const request = readFailover(service, ownCluster);
  return request?.kind === "wanted" ? request.policy.targets : [];
}

/** Services that may be mirrors of the targets. */
async function listMirrors(
  { access, namespace, signal }: FailoverOptions,
  targets: readonly Source[],
): Promise<Service[]> {
  const labelSelector = `${LABELS.managedBy}=${MANAGED_BY},${LABELS.link}`;
  // Who asks for one namespace may not have a right to others.
  const namespaces =
    namespace === undefined && targets.length > 0
      ? [undefined]
      : [...new Set(targets.map((target) => target.namespace))];
  return await listEach(namespaces, async (each) =>
    listAll<Service>(access, RESOURCES.services, {
      ...(each !== undefined && { namespace: each }),
      labelSelector,
      signal,
    }),
  );
}

function notAsking({ contextName }: ClusterAccess, { metadata }: Service): CliError {
  const { namespace = "", name } = metadata;
  return new CliError(
    `context ${contextName}: Service ${namespace}/${name} does not ask for failover`,
    {
      fix: `kubectl --context ${contextName} annotate service ${name} -n ${namespace} ${ANNOTATIONS.failover}=CLUSTER`,
    },
  );
}

function byKey(left: Service, right: Service): number {
  const [a, b] = [keyOf(left), keyOf(right)];
  return a < b ? -1 : Number(a > b);
}
