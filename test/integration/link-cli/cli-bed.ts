import { afterAll, beforeAll, onTestFinished } from "vitest";
import { systemClock } from "../../../api/clock.ts";
import {
  gatewayIdentity,
  IDENTITY_CONFIG_MAP_NAME,
  IDENTITY_KEYS,
  INSTALL_NAMESPACE,
} from "../../../api/names.ts";
import type { ConfigMap, KubeObject } from "../../../api/objects.ts";
import { type Resource, RESOURCES } from "../../../api/resources.ts";
import { type ClusterAccess, openCluster } from "../../../cmd/link/cluster-access.ts";
import { install, type InstallOptions } from "../../../cmd/link/install/install.ts";
import type { Reporter } from "../../../cmd/link/reporter.ts";
import { createAuthority } from "../../../pki/authority.ts";
import type { Bed } from "../../bed/bed.ts";
import { localProvider } from "../../bed/local.ts";

/** Access to a test file's clusters. */
export interface Clusters {
  /** An administrator's access to a cluster, closed when the test ends. */
  open(name: string): ClusterAccess;
  /** The kubeconfig with a context per cluster. */
  kubeconfigPath(): string;
}

/** Control planes of this test file's own: others install, too, and a cluster has one Isthmus. */
export function useClusters(...names: string[]): Clusters {
  return clustersWith(names, async () => {});
}

/** Like {@link useClusters}, with Isthmus installed in each. */
export function useInstalledClusters(...names: string[]): Clusters {
  return clustersWith(names, installed);
}

function clustersWith(
  names: readonly string[],
  prepare: (access: ClusterAccess) => Promise<void>,
): Clusters {
  let bed: Bed | undefined;
  const connect = (name: string) =>
    openCluster({ kubeconfig: bed?.cluster(name).kubeconfigPath, context: name });
  beforeAll(async () => {
    bed = await localProvider.up({ clusters: names.map((name) => ({ name, nodes: 0 })) });
    for (const access of names.map(connect)) {
      await prepare(access);
      await access.client.close();
    }
  }, 120_000);
  afterAll(async () => {
    await bed?.down();
  });
  return {
    open(name) {
      const access = connect(name);
      onTestFinished(async () => await access.client.close());
      return access;
    },
    kubeconfigPath: () => bed?.kubeconfigPath ?? "",
  };
}

/** A reporter that keeps every line. */
export function recordingReporter(): Reporter & { readonly lines: string[] } {
  const lines: string[] = [];
  const keep = (text: string) => void lines.push(text);
  return { lines, progress: keep, done: keep, info: keep, warn: keep, next: keep };
}

/** Options of `install` for a cluster whose pods never run. */
export function installOptions(
  access: ClusterAccess,
  changes: Partial<InstallOptions> = {},
): InstallOptions {
  return {
    access,
    dryRun: false,
    wait: false,
    timeoutMs: 20_000,
    reporter: recordingReporter(),
    clock: systemClock,
    signal: new AbortController().signal,
    ...changes,
  };
}

/** Installs, and publishes the identity that the controller would: no pod runs without a node. */
export async function installed(access: ClusterAccess): Promise<void> {
  const { clusterName } = await install(installOptions(access));
  await publishIdentity(access, clusterName);
}

export async function publishIdentity(access: ClusterAccess, clusterName: string): Promise<void> {
  const { certificatePem } = await createAuthority({ clusterName, nowMs: Date.now() });
  const configMap: ConfigMap = {
    metadata: { name: IDENTITY_CONFIG_MAP_NAME, namespace: INSTALL_NAMESPACE },
    data: {
      [IDENTITY_KEYS.clusterName]: clusterName,
      [IDENTITY_KEYS.gatewayIdentity]: gatewayIdentity(clusterName),
      [IDENTITY_KEYS.trustBundle]: certificatePem,
    },
  };
  await access.client.apply(RESOURCES.configMaps, configMap, { fieldManager: "test", force: true });
}

/** What an installation or a join may write, but Deployments, which get new versions by themselves. */
const COMPARED: readonly Resource[] = [
  RESOURCES.serviceAccounts,
  RESOURCES.roles,
  RESOURCES.roleBindings,
  RESOURCES.clusterRoles,
  RESOURCES.clusterRoleBindings,
  RESOURCES.secrets,
  RESOURCES.configMaps,
  RESOURCES.links,
  RESOURCES.peers,
];

const OURS_WHOLE: readonly Resource[] = [RESOURCES.links, RESOURCES.peers];

/** Kind, name and content version of everything of Isthmus in a cluster. */
export async function snapshot({ client }: ClusterAccess): Promise<Map<string, string>> {
  const entries = new Map<string, string>();
  for (const resource of COMPARED) {
    const { items } = await client.list<KubeObject>(resource, {
      ...(resource.namespaced && { namespace: INSTALL_NAMESPACE }),
    });
    for (const { metadata } of items) {
      // The cluster's own controllers write theirs at any time.
      if (!metadata.name.includes("isthmus") && !OURS_WHOLE.includes(resource)) continue;
      const version = `${metadata.uid ?? ""} ${metadata.resourceVersion ?? ""}`;
      entries.set(`${resource.kind} ${metadata.name}`, version);
    }
  }
  return entries;
}
