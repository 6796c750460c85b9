import { CONTROLLER_NAME, INSTALL_NAMESPACE, LABELS } from "../../../api/names.ts";
import type { KubeObject } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { DEPLOYMENT_NAMES, type Manifest } from "../install/manifests.ts";
import { listKnown, ownObjects, titleOf } from "../install/own-objects.ts";
import { listAll } from "../list-all.ts";
import { mirrorObjectsOf } from "../unjoin/mirror-objects.ts";
import { removeMirrors, warnOfHeld } from "../unjoin/remove-link.ts";
import { unjoin } from "../unjoin/unjoin.ts";
import { type Sighting, waitUntil } from "../wait-until.ts";
import { describeJoins, findJoins, joinedRefusal, type Joins } from "./joins.ts";
import { beginRemoval, removeNamespaces } from "./remove-namespaces.ts";
import type { UninstallOptions } from "./uninstall-options.ts";

const HELM_RELEASE = "meta.helm.sh/release-name";
const HELM_NAMESPACE = "meta.helm.sh/release-namespace";

/**
 * Removes Isthmus from a cluster and waits until nothing of it is left:
 * mirrors, Links and Peers (with `force`), the programs, their rights, the
 * definitions of their kinds, their Events and their namespace. What somebody
 * else made stays, and the namespace with it where it lies there. Given again
 * after a failure it carries on.
 * @throws CliError when the cluster is joined to others and `force` is not given,
 * or when something is not gone in time, naming it.
 */
export async function uninstall(options: UninstallOptions): Promise<void> {
  const { access, reporter, clock, signal } = options;
  reporter.progress(`looking for Isthmus with context ${access.contextName}`);
  const joins = await findJoins(access, signal);
  const isJoined = joins.links.length + joins.peers.length > 0;
  if (isJoined && !options.force) throw joinedRefusal(access, joins);
  const installed = await installedIn(options);
  if (installed.length === 0 && !isJoined) {
    reporter.done(`nothing of Isthmus is in the cluster of context ${access.contextName}`);
    return;
  }
  if (options.dryRun) return tellPlan(options, joins, installed);
  const helm = helmRecordOf(installed);
  const deadlineMs = clock.nowMs() + options.timeoutMs;
  /** The same options with the time that is left. */
  const timed = () => ({ ...options, timeoutMs: Math.max(0, deadlineMs - clock.nowMs()) });
  await endJoins(timed(), joins);
  await stopPrograms(options);
  await beginRemoval(options);
  await untilStopped(timed());
  // What nobody watches any more, and that of Links which were taken away by hand.
  await removeMirrors(timed());
  await warnOfHeld(options);
  await removeObjects(options, await ownObjects(access, signal));
  await removeDefinitions(timed());
  await removeNamespaces(timed());
  await removeEvents(options);
  if (helm !== undefined) {
    reporter.warn("Helm still has its record of what is gone now; remove that, too:");
    reporter.info(`helm uninstall ${helm} --kube-context ${access.contextName}`);
  }
  reporter.done(`Isthmus is gone from the cluster of context ${access.contextName}`);
}

/** All that is there of Isthmus, for the first look and for the dry run. */
async function installedIn({ access, signal }: UninstallOptions): Promise<Manifest[]> {
  const [objects, definitions, namespace, mirrors] = await Promise.all([
    ownObjects(access, signal),
    ownDefinitions(access, signal),
    access.client.find<KubeObject>(RESOURCES.namespaces, { name: INSTALL_NAMESPACE }, { signal }),
    mirrorObjectsOf(access, undefined, signal),
  ]);
  const last =
    namespace === undefined ? [] : [{ resource: RESOURCES.namespaces, object: namespace }];
  return [...mirrors, ...objects, ...definitions, ...last];
}

/** The release that Helm keeps a record of in another namespace, as arguments of its command. */
function helmRecordOf(installed: readonly Manifest[]): string | undefined {
  const annotations = installed.map(({ object }) => object.metadata.annotations ?? {});
  const own = annotations.find((each) => each[HELM_RELEASE] !== undefined) ?? {};
  const [release, namespace] = [own[HELM_RELEASE], own[HELM_NAMESPACE]];
  if (release === undefined || namespace === INSTALL_NAMESPACE) return undefined;
  return `${release} --namespace ${namespace ?? "default"}`;
}

function tellPlan(
  { reporter }: UninstallOptions,
  joins: Joins,
  installed: readonly Manifest[],
): void {
  for (const line of describeJoins(joins)) reporter.info(`would be ended: ${line}`);
  for (const manifest of installed) reporter.info(`would be removed: ${titleOf(manifest)}`);
  reporter.done(
    `dry run: ${installed.length} objects would be removed, and what the programs made`,
  );
}

async function endJoins(options: UninstallOptions, { links, peers }: Joins): Promise<void> {
  const { access, reporter, signal } = options;
  // First of all: from now on no gateway lets these clusters in.
  for (const { metadata } of peers) {
    await removeObject(access, { resource: RESOURCES.peers, object: { metadata } }, signal);
    reporter.done(`removed Peer ${metadata.name}: cluster ${metadata.name} is let in no more`);
  }
  for (const { metadata } of links) {
    await unjoin({ ...options, linkName: metadata.name, provider: undefined, force: true });
  }
}

async function stopPrograms({ access, reporter, signal }: UninstallOptions): Promise<void> {
  reporter.progress("stopping controller and gateways");
  for (const name of DEPLOYMENT_NAMES) {
    const key = { namespace: INSTALL_NAMESPACE, name };
    await access.client.remove(RESOURCES.deployments, key, {
      propagationPolicy: "Background",
      signal,
    });
  }
}

/** From then on nothing of ours makes objects. */
async function untilStopped(options: UninstallOptions): Promise<void> {
  const { access, reporter, clock, signal, timeoutMs } = options;
  const labelSelector = `${LABELS.name} in (${DEPLOYMENT_NAMES.join(",")})`;
  const look = async (): Promise<Sighting<true>> => {
    const query = { namespace: INSTALL_NAMESPACE, labelSelector, signal };
    const pods = await listKnown(access, RESOURCES.pods, query);
    return pods.length === 0
      ? { found: true }
      : { missing: `ending: ${pods.map(({ metadata }) => metadata.name).join(", ")}` };
  };
  await waitUntil("end of the pods", look, {
    clock,
    signal,
    timeoutMs,
    onMissing: (missing) => reporter.progress(missing),
    fix: `see why they do not end: kubectl --context ${access.contextName} -n ${INSTALL_NAMESPACE} describe pods; then give the command again, it carries on`,
  });
  reporter.done("controller and gateways have stopped");
}

async function removeObjects(
  { access, reporter, signal }: UninstallOptions,
  objects: readonly Manifest[],
): Promise<void> {
  reporter.progress(`removing ${objects.length} objects`);
  for (const manifest of objects) await removeObject(access, manifest, signal);
  if (objects.length > 0) reporter.done(`removed ${objects.length} objects of the installation`);
}

async function removeObject(
  { client }: ClusterAccess,
  { resource, object: { metadata } }: Manifest,
  signal: AbortSignal,
): Promise<void> {
  const { uid } = metadata;
  await client.remove(resource, metadata, {
    ...(uid !== undefined && { uid }),
    propagationPolicy: "Background",
    signal,
  });
}

async function ownDefinitions(access: ClusterAccess, signal: AbortSignal): Promise<Manifest[]> {
  const resource = RESOURCES.customResourceDefinitions;
  const names = [RESOURCES.links, RESOURCES.peers].map(({ plural, group }) => `${plural}.${group}`);
  const found = await Promise.all(
    names.map((name) => access.client.find<KubeObject>(resource, { name }, { signal })),
  );
  return found.flatMap((object) => (object === undefined ? [] : [{ resource, object }]));
}

async function removeDefinitions(options: UninstallOptions): Promise<void> {
  const { access, reporter, clock, signal, timeoutMs } = options;
  const definitions = await ownDefinitions(access, signal);
  for (const definition of definitions) await removeObject(access, definition, signal);
  const look = async (): Promise<Sighting<true>> => {
    const [left] = await ownDefinitions(access, signal);
    return left === undefined ? { found: true } : { missing: `${titleOf(left)} is going` };
  };
  await waitUntil("removal of the definitions", look, {
    clock,
    signal,
    timeoutMs,
    onMissing: (missing) => reporter.progress(missing),
    fix: `see which are left and what holds them: kubectl --context ${access.contextName} get links,peers -A -o yaml`,
  });
  if (definitions.length > 0) reporter.done(`removed ${definitions.map(titleOf).join(" and ")}`);
}

/** The controller tells of Services in their own namespaces; its Events name it. */
async function removeEvents({ access, reporter, signal }: UninstallOptions): Promise<void> {
  const reportingController = `isthmus.dev/${CONTROLLER_NAME}`;
  const events = await listAll(access, RESOURCES.events, {
    fieldSelector: `reportingController=${reportingController}`,
    signal,
  });
  for (const object of events)
    await removeObject(access, { resource: RESOURCES.events, object }, signal);
  if (events.length > 0) reporter.done(`removed ${events.length} Events of the controller`);
}
