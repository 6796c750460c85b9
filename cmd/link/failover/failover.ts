import { asksForFailover, readFailover } from "../../../api/failover.ts";
import {
  ANNOTATIONS,
  CONFIG_CLUSTER_NAME_KEY,
  CONFIG_MAP_NAME,
  INSTALL_NAMESPACE,
  LABELS,
  MANAGED_BY,
} from "../../../api/names.ts";
import { type ConfigMap, type EndpointSlice, keyOf, type Service } from "../../../api/objects.ts";
import type { Source } from "../../../api/ownership.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { isApiError } from "../../../kube/client/api-error.ts";
import { CliError } from "../cli-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { listAll } from "../list-all.ts";
import { skippedServices } from "../status/skipped.ts";
import { linkReport, listLinks } from "../status/status.ts";
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

/** So many names fit well into the URL of a list. */
const NAMES_PER_LIST = 50;
/** Lists under way at once. */
const CONCURRENT_LISTS = 8;

/**
 * Reads how the Services that ask for failover stand, from the objects as they
 * are now. EndpointSlices are read of those Services only.
 *
 * @throws CliError when Isthmus is not installed, or a Service is named that
 * does not exist or does not ask for failover.
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
  if (asking.length === 0 && options.name !== undefined) throw notAsking(options, services);
  const targets = asking.flatMap((service) => targetsOf(service, ownCluster));
  const [mirrors, slices] = await Promise.all([
    listMirrors(options, targets),
    listSlices(options, asking),
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

/** EndpointSlices by the Service that they belong to. */
async function listSlices(
  { access, signal }: FailoverOptions,
  services: readonly Service[],
): Promise<Map<string, EndpointSlice[]>> {
  const names = new Map<string, string[]>();
  for (const { metadata } of services) {
    const { namespace = "", name } = metadata;
    names.set(namespace, [...(names.get(namespace) ?? []), name]);
  }
  const lists = [...names].flatMap(([namespace, all]) =>
    Array.from({ length: Math.ceil(all.length / NAMES_PER_LIST) }, (_, page) => ({
      namespace,
      labelSelector: `${LABELS.serviceName} in (${all
        .slice(page * NAMES_PER_LIST, (page + 1) * NAMES_PER_LIST)
        .join(",")})`,
    })),
  );
  const slices = await listEach(lists, async (list) =>
    listAll<EndpointSlice>(access, RESOURCES.endpointSlices, { ...list, signal }),
  );
  return Map.groupBy(
    slices,
    ({ metadata }) => `${metadata.namespace ?? ""}/${metadata.labels?.[LABELS.serviceName] ?? ""}`,
  );
}

/** What all the lists have, a few of them at a time. */
async function listEach<Q, T>(
  queries: readonly Q[],
  list: (query: Q) => Promise<T[]>,
): Promise<T[]> {
  const found: T[] = [];
  for (let first = 0; first < queries.length; first += CONCURRENT_LISTS) {
    const lists = await Promise.all(queries.slice(first, first + CONCURRENT_LISTS).map(list));
    found.push(...lists.flat());
  }
  return found;
}

function notAsking(
  { access: { contextName }, namespace, name = "" }: FailoverOptions,
  [service]: readonly Service[],
): CliError {
  if (service === undefined) {
    const what =
      namespace === undefined
        ? `no namespace has a Service ${name}`
        : `Service ${namespace}/${name} does not exist`;
    return new CliError(`context ${contextName}: ${what}`, {
      fix: `look for it: kubectl --context ${contextName} get services --all-namespaces`,
    });
  }
  const inNamespace = service.metadata.namespace ?? "";
  return new CliError(
    `context ${contextName}: Service ${inNamespace}/${name} does not ask for failover`,
    {
      fix: `kubectl --context ${contextName} annotate service ${name} -n ${inNamespace} ${ANNOTATIONS.failover}=CLUSTER`,
    },
  );
}

function byKey(left: Service, right: Service): number {
  const [a, b] = [keyOf(left), keyOf(right)];
  return a < b ? -1 : Number(a > b);
}
