import type { Clock } from "../../../api/clock.ts";
import { CONFIG_MAP_NAME, INSTALL_NAMESPACE } from "../../../api/names.ts";
import type { ConfigMap } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { CliError, toCliError } from "../cli-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { findIdentity } from "../identity.ts";
import type { Reporter } from "../reporter.ts";
import { uninstall } from "../uninstall/uninstall.ts";
import {
  applyManifests,
  type Outcomes,
  summaryOf,
  tellDryRun,
  withoutMissingNamespaces,
} from "./apply.ts";
import { requireClusterName } from "./cluster-name.ts";
import { installationRecord, type InstallationRecord, renderManifests } from "./manifests.ts";
import { requirePreflight } from "./preflight.ts";
import { waitForDefinitions, waitForWorkloads } from "./wait-for-installation.ts";

/** For taking back what an interrupted installation has made. */
const TAKE_BACK_TIMEOUT_MS = 60_000;

export interface InstallOptions {
  access: ClusterAccess;
  /** Name among its peers; default: the one it was installed with, else the context's name. */
  clusterName?: string | undefined;
  image?: string | undefined;
  replicas?: number | undefined;
  /** Components to add; default: those it was installed with. */
  components?: readonly string[] | undefined;
  /** The only namespaces to work in; default: those it was installed with. */
  namespaces?: readonly string[] | undefined;
  /** Whether to look first at what stands in the way of a first installation; default: not. */
  preflight?: boolean | undefined;
  /** Only says what would be applied. */
  dryRun: boolean;
  /** Whether to wait until everything runs. */
  wait: boolean;
  timeoutMs: number;
  reporter: Reporter;
  clock: Clock;
  signal: AbortSignal;
}

export interface Installation extends Outcomes {
  readonly clusterName: string;
}

/**
 * Applies the manifests and waits until both Deployments are rolled out and
 * the cluster's identity is published. Doing it again changes nothing, and
 * puts back what others changed. A first installation that is interrupted is
 * taken back.
 * @throws CliError when the cluster has another name, version or composition
 * already, or is not ready in time.
 */
export async function install(options: InstallOptions): Promise<Installation> {
  const { access, signal } = options;
  const key = { namespace: INSTALL_NAMESPACE, name: CONFIG_MAP_NAME };
  const config = await access.client.find<ConfigMap>(RESOURCES.configMaps, key, { signal });
  const present = config === undefined ? undefined : installationRecord(config);
  // Somebody may have put settings there beforehand: that is no installation yet.
  if (present?.clusterName !== undefined) return await apply(options, present);
  if (options.preflight === true) await requirePreflight(options);
  const namespace = { name: INSTALL_NAMESPACE };
  const isFirst =
    (await access.client.find(RESOURCES.namespaces, namespace, { signal })) === undefined;
  // Where only the ConfigMap was lost, certificates and linked clusters still carry the name.
  const identity = await findIdentity(access, signal);
  const name = identity?.clusterName;
  try {
    return await apply({ ...options, clusterName: options.clusterName ?? name }, undefined);
  } catch (error) {
    if (isFirst && signal.aborted && !options.dryRun) await takeBack(options);
    throw toCliError(error, signal);
  }
}

async function apply(
  options: InstallOptions,
  present: InstallationRecord | undefined,
): Promise<Installation> {
  const { access, reporter, dryRun } = options;
  const clusterName = chooseClusterName(options, present);
  const manifests = await renderManifests({
    ...options,
    clusterName,
    components: options.components ?? present?.components,
    namespaces: options.namespaces ?? present?.namespaces,
  });
  const config = manifests.find(({ object }) => object.metadata.name === CONFIG_MAP_NAME);
  if (present !== undefined && config !== undefined) {
    checkSame(access, present, installationRecord(config.object));
  }
  reporter.progress(`applying ${manifests.length} objects with context ${access.contextName}`);
  const applicable = await withoutMissingNamespaces(manifests, options);
  const outcomes = await applyManifests(applicable, options);
  if (dryRun) {
    tellDryRun(reporter, outcomes);
    return { clusterName, ...outcomes };
  }
  reporter.done(`cluster ${clusterName}: ${summaryOf(outcomes)}`);
  await waitForDefinitions(options);
  if (options.wait) await waitForWorkloads(options, clusterName);
  reporter.next(
    `link join <context of the provider> --context ${access.contextName}`,
    "Next, link a cluster whose Services this one is to use",
  );
  return { clusterName, ...outcomes };
}

function chooseClusterName(
  { access, clusterName }: InstallOptions,
  present: InstallationRecord | undefined,
): string {
  if (present?.clusterName === undefined) {
    return requireClusterName(clusterName, access.contextName);
  }
  if (clusterName === undefined || clusterName === present.clusterName) return present.clusterName;
  throw new CliError(
    `context ${access.contextName}: Isthmus is installed there under the name ${present.clusterName}, which certificates and linked clusters already carry`,
    {
      fix: `leave out --cluster-name, or remove it first to start anew: link uninstall --context ${access.contextName}`,
    },
  );
}

/** Another version or composition is an upgrade's to bring: that one also removes what is no more. */
function checkSame(
  { contextName }: ClusterAccess,
  present: InstallationRecord,
  wanted: InstallationRecord,
): void {
  if (present.version !== wanted.version) {
    throw new CliError(
      `context ${contextName}: Isthmus ${present.version ?? "of a version before 0.2.0"} is installed there, and this program has ${wanted.version ?? "no version"}`,
      { fix: `link upgrade --context ${contextName}` },
    );
  }
  const rows = [
    ["components", present.components, wanted.components, "--components none"],
    ["namespaces", present.namespaces, wanted.namespaces, "--all-namespaces"],
  ] as const;
  for (const [what, before, after, noneFlag] of rows) {
    const [was, is] = [before.toSorted().join(","), after.toSorted().join(",")];
    if (was === is) continue;
    throw new CliError(
      `context ${contextName}: Isthmus is installed there with ${what} ${was || "not given"}, which is to be ${is || "not given"}`,
      { fix: `link upgrade --context ${contextName} ${is === "" ? noneFlag : `--${what} ${is}`}` },
    );
  }
}

async function takeBack({ access, reporter, clock }: InstallOptions): Promise<void> {
  reporter.warn("the installation was interrupted; it is taken back");
  // A Ctrl-C brought us here: another one ends the process.
  const { signal } = new AbortController();
  const timeoutMs = TAKE_BACK_TIMEOUT_MS;
  await uninstall({ access, force: false, dryRun: false, timeoutMs, reporter, clock, signal });
}
