import { CONFIG_MAP_NAME, INSTALL_NAMESPACE } from "../../api/names.ts";
import type { ConfigMap, KubeObject } from "../../api/objects.ts";
import { type Resource, RESOURCES } from "../../api/resources.ts";
import type { ClusterAccess } from "./cluster-access.ts";
import { installationRecord, type InstallationRecord } from "./install/manifests.ts";
import { listAll } from "./list-all.ts";
import type { ReadingGaps } from "./not-read.ts";

const KEY = { namespace: INSTALL_NAMESPACE, name: CONFIG_MAP_NAME };

/** Of a cluster whose ConfigMap is not there or cannot be read. */
const NO_INSTALLATION: InstallationRecord = installationRecord({ metadata: KEY });

/** What the installation says of itself. */
export async function readInstallation(
  { client }: Pick<ClusterAccess, "client">,
  signal: AbortSignal,
): Promise<InstallationRecord> {
  const config = await client.find<ConfigMap>(RESOURCES.configMaps, KEY, { signal });
  return config === undefined ? NO_INSTALLATION : installationRecord(config);
}

/** What the installation says of itself; where that cannot be read, nothing, and a gap. */
export function tryInstallation(
  access: Pick<ClusterAccess, "client">,
  gaps: ReadingGaps,
  signal: AbortSignal,
): Promise<InstallationRecord> {
  const reading = readInstallation(access, signal);
  return gaps.orElse("configuration of the installation", reading, NO_INSTALLATION);
}

/** Lists objects of one namespace, else of those that the installation works in, else of all. */
export async function listInScope<T extends KubeObject>(
  access: Pick<ClusterAccess, "client">,
  resource: Resource,
  {
    namespace,
    installation,
    ...query
  }: {
    namespace?: string | undefined;
    installation: Pick<InstallationRecord, "namespaces">;
    labelSelector?: string;
    signal: AbortSignal;
  },
): Promise<T[]> {
  const scope = namespace === undefined ? installation.namespaces : [namespace];
  if (scope.length === 0) return await listAll<T>(access, resource, query);
  const lists = scope.map((each) => listAll<T>(access, resource, { ...query, namespace: each }));
  return (await Promise.all(lists)).flat();
}
