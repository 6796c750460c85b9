import type { Clock } from "../../../api/clock.ts";
import { CONFIG_MAP_NAME, INSTALL_NAMESPACE } from "../../../api/names.ts";
import type { ConfigMap, KubeObject } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { CliError } from "../cli-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import {
  applyManifests,
  type Outcomes,
  summaryOf,
  tellDryRun,
  withoutMissingNamespaces,
} from "../install/apply.ts";
import { DEPLOYMENT_NAMES, installationRecord, type Manifest } from "../install/manifests.ts";
import { titleOf } from "../install/own-objects.ts";
import { waitForDefinitions, waitForWorkloads } from "../install/wait-for-installation.ts";
import type { Reporter } from "../reporter.ts";
import { conformToNamespaces } from "./conform.ts";
import { findSuperfluous } from "./prune.ts";
import {
  planUpgrade,
  type Present,
  runningOf,
  type UpgradePlan,
  type Wishes,
} from "./upgrade-plan.ts";

export interface UpgradeOptions extends Wishes {
  access: ClusterAccess;
  /** Only says what would change. */
  dryRun: boolean;
  /** Whether to wait until everything runs. */
  wait: boolean;
  timeoutMs: number;
  reporter: Reporter;
  clock: Clock;
  signal: AbortSignal;
}

/** What an upgrade did, or with a dry run would do. */
export interface Upgrade extends Outcomes {
  readonly clusterName: string;
  readonly changes: readonly string[];
  /** Titles of what the manifests have no more. */
  readonly removed: readonly string[];
}

/**
 * Brings an installation to the version of this program, and to the image,
 * replicas, components and namespaces that are wished; the rest stays as the
 * installation says. Definitions of kinds come first; what the manifests have
 * no more is removed last, when the new version runs. Doing it again changes
 * nothing; after a failure or an interruption it carries on.
 * @throws CliError where Isthmus is not installed, for a downgrade without
 * `force`, and when the new version does not run in time.
 */
export async function upgrade(options: UpgradeOptions): Promise<Upgrade> {
  const { access, reporter, signal, dryRun } = options;
  const plan = await lookAhead(options);
  const { clusterName, changes } = plan;
  for (const change of changes) reporter.info(change);
  const manifests = await withoutMissingNamespaces(plan.manifests, options);
  const superfluous = await findSuperfluous(access, plan.manifests, signal);
  const removed = superfluous.map(titleOf);
  if (dryRun) {
    const outcomes = await applyManifests(manifests, options);
    for (const title of removed) reporter.info(`would be removed: ${title}`);
    tellDryRun(reporter, outcomes);
    return { clusterName, changes, removed, ...outcomes };
  }
  const outcomes = await applyInOrder(manifests, options);
  reporter.done(`cluster ${clusterName}: ${summaryOf(outcomes)}`);
  if (options.wait) await waitForWorkloads(options, clusterName);
  // Not before: what still runs of the version before may need it.
  await prune(superfluous, options);
  await conformToNamespaces({ ...options, namespaces: plan.record.namespaces });
  const version = plan.record.version ?? "";
  reporter.done(
    changes.length === 0
      ? `cluster ${clusterName} is at version ${version}; nothing was to be changed`
      : `cluster ${clusterName} is upgraded, and at version ${version}`,
  );
  reporter.next(`link check --context ${access.contextName}`, "Next, see that all is well");
  return { clusterName, changes, removed, ...outcomes };
}

/**
 * What an upgrade would apply, without asking for anything but what is installed.
 * @throws CliError where Isthmus is not installed or is another tool's to upgrade, and as `planUpgrade` does.
 */
export async function lookAhead({
  access,
  signal,
  ...wishes
}: Wishes & Pick<UpgradeOptions, "access" | "signal">): Promise<UpgradePlan> {
  const present = await readPresent(access, signal);
  return await planUpgrade(present, wishes, access.contextName);
}

async function readPresent(access: ClusterAccess, signal: AbortSignal): Promise<Present> {
  const { client, contextName } = access;
  const key = { namespace: INSTALL_NAMESPACE, name: CONFIG_MAP_NAME };
  const config = await client.find<ConfigMap>(RESOURCES.configMaps, key, { signal });
  if (config === undefined) {
    throw new CliError(
      `context ${contextName}: Isthmus is not installed there: ConfigMap ${key.namespace}/${key.name} is missing`,
      { fix: `link install --context ${contextName}` },
    );
  }
  checkTool(config, contextName);
  const deployments = new Map<string, ReturnType<typeof runningOf>>();
  for (const name of DEPLOYMENT_NAMES) {
    const found = await client.find<KubeObject>(
      RESOURCES.deployments,
      { namespace: INSTALL_NAMESPACE, name },
      { signal },
    );
    if (found !== undefined) deployments.set(name, runningOf(found));
  }
  return { record: installationRecord(config), deployments };
}

/** Helm would take back at its next upgrade what we change beside it. */
function checkTool({ metadata }: ConfigMap, contextName: string): void {
  const release = metadata.annotations?.["meta.helm.sh/release-name"];
  if (release === undefined) return;
  throw new CliError(
    `context ${contextName}: Isthmus was installed by Helm, as release ${release}`,
    {
      fix: `helm upgrade ${release} with the chart of the version that you want`,
    },
  );
}

/** The definitions of kinds before what may use their new fields. */
async function applyInOrder(
  manifests: readonly Manifest[],
  options: UpgradeOptions,
): Promise<Outcomes> {
  const { access, reporter } = options;
  reporter.progress(`applying the definitions with context ${access.contextName}`);
  const definitions = await applyManifests(manifests.filter(comesFirst), options);
  await waitForDefinitions(options);
  const others = manifests.filter((manifest) => !comesFirst(manifest));
  reporter.progress(`applying ${others.length} objects with context ${access.contextName}`);
  const rest = await applyManifests(others, options);
  return {
    created: [...definitions.created, ...rest.created],
    changed: [...definitions.changed, ...rest.changed],
    unchanged: [...definitions.unchanged, ...rest.unchanged],
  };
}

function comesFirst({ resource }: Manifest): boolean {
  return resource === RESOURCES.namespaces || resource === RESOURCES.customResourceDefinitions;
}

async function prune(
  superfluous: readonly Manifest[],
  { access, reporter, signal }: UpgradeOptions,
): Promise<void> {
  for (const item of superfluous) {
    const { uid } = item.object.metadata;
    await access.client.remove(item.resource, item.object.metadata, {
      ...(uid !== undefined && { uid }),
      signal,
    });
    reporter.done(`removed ${titleOf(item)}, which this version does not have`);
  }
}
