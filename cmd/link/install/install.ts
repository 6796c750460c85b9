import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../../../api/clock.ts";
import { DNS_LABEL_MAX_LENGTH, isDnsLabel } from "../../../api/names-schema.ts";
import {
  CLI_FIELD_MANAGER,
  CONFIG_CLUSTER_NAME_KEY,
  CONFIG_MAP_NAME,
  INSTALL_NAMESPACE,
} from "../../../api/names.ts";
import type { ConfigMap, KubeObject } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { isApiError } from "../../../kube/client/api-error.ts";
import { resourcePath } from "../../../kube/client/resource-path.ts";
import { CliError, EXIT_CODES } from "../cli-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { findIdentity } from "../identity.ts";
import type { Reporter } from "../reporter.ts";
import { type Sighting, waitUntil } from "../wait-until.ts";
import { DEPLOYMENT_NAMES, type Manifest, renderManifests } from "./manifests.ts";
import { lookAtRollout } from "./rollout.ts";

export interface InstallOptions {
  access: ClusterAccess;
  /** Name among its peers; default: the one it was installed with, else the context's name. */
  clusterName?: string | undefined;
  image?: string | undefined;
  replicas?: number | undefined;
  /** Only says what would be applied. */
  dryRun: boolean;
  /** Whether to wait until everything runs. */
  wait: boolean;
  timeoutMs: number;
  reporter: Reporter;
  clock: Clock;
  signal: AbortSignal;
}

export interface Installation {
  readonly clusterName: string;
  readonly created: readonly string[];
  readonly changed: readonly string[];
  readonly unchanged: readonly string[];
}

/**
 * Applies the manifests and waits until both Deployments are rolled out and
 * the cluster's identity is published. Doing it again changes nothing.
 * @throws CliError when the cluster has another name already, or is not ready in time.
 */
export async function install(options: InstallOptions): Promise<Installation> {
  const { access, reporter, signal, dryRun } = options;
  const clusterName = await chooseClusterName(options);
  const manifests = await renderManifests({ ...options, clusterName });
  const outcomes: Record<Outcome, string[]> = { created: [], changed: [], unchanged: [] };
  reporter.progress(`applying ${manifests.length} objects with context ${access.contextName}`);
  for (const manifest of manifests) {
    const title = titleOf(manifest);
    const outcome = await applyOne(access, manifest, dryRun, signal);
    outcomes[outcome].push(title);
  }
  const installation: Installation = { clusterName, ...outcomes };
  if (dryRun) {
    for (const title of outcomes.created) reporter.info(`would be created: ${title}`);
    for (const title of outcomes.changed) reporter.info(`would be changed: ${title}`);
    reporter.done(`dry run: ${summaryOf(installation)}`);
    return installation;
  }
  reporter.done(`cluster ${clusterName}: ${summaryOf(installation)}`);
  await waitForDefinitions(options);
  if (options.wait) await waitForWorkloads(options, clusterName);
  reporter.next(
    `link join <context of the provider> --context ${access.contextName}`,
    "Next, link a cluster whose Services this one is to use",
  );
  return installation;
}

/** A context's name as a cluster name: what is no part of a DNS label becomes a hyphen. */
export function toClusterName(contextName: string): string {
  return contextName
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, DNS_LABEL_MAX_LENGTH)
    .replace(/-+$/, "");
}

/**
 * The cluster's name from the flag or the context.
 * @throws CliError (usage) when it is no DNS label.
 */
export function requireClusterName(flag: string | undefined, contextName: string): string {
  const name = flag ?? toClusterName(contextName);
  if (isDnsLabel(name)) return name;
  throw new CliError(
    `"${name}" cannot name a cluster: a name has at most 63 of a-z, 0-9 and '-', with a letter or digit at both ends`,
    { fix: "choose one with --cluster-name", exitCode: EXIT_CODES.usage },
  );
}

async function chooseClusterName({ access, clusterName, signal }: InstallOptions): Promise<string> {
  const key = { namespace: INSTALL_NAMESPACE, name: CONFIG_MAP_NAME };
  const config = await access.client.find<ConfigMap>(RESOURCES.configMaps, key, { signal });
  const present = config?.data?.[CONFIG_CLUSTER_NAME_KEY];
  if (present === undefined) return requireClusterName(clusterName, access.contextName);
  if (clusterName === undefined || clusterName === present) return present;
  throw new CliError(
    `context ${access.contextName}: Isthmus is installed there under the name ${present}, which certificates and linked clusters already carry`,
    {
      fix: `leave out --cluster-name, or remove namespace ${INSTALL_NAMESPACE} first to start anew`,
    },
  );
}

type Outcome = "created" | "changed" | "unchanged";

async function applyOne(
  { client }: ClusterAccess,
  { resource, object }: Manifest,
  dryRun: boolean,
  signal: AbortSignal,
): Promise<Outcome> {
  const before = await client.find(resource, object.metadata, { signal });
  if (dryRun && before === undefined) return "created";
  // What someone else set on our own objects is taken back: the manifests decide.
  const after = await client.request<KubeObject>({
    method: "PATCH",
    path: resourcePath(resource, object.metadata),
    query: { fieldManager: CLI_FIELD_MANAGER, force: true, ...(dryRun && { dryRun: "All" }) },
    contentType: "application/apply-patch+yaml",
    body: object,
    signal,
  });
  if (before === undefined) return "created";
  return isDeepStrictEqual(contentOf(before), contentOf(after)) ? "unchanged" : "changed";
}

/** An object without what changes by itself. */
function contentOf(object: KubeObject): unknown {
  const { managedFields: _owners, resourceVersion: _version, ...metadata } = object.metadata;
  return { ...object, metadata, status: undefined };
}

function titleOf({ resource, object }: Manifest): string {
  return `${resource.kind} ${object.metadata.name}`;
}

function summaryOf({ created, changed, unchanged }: Installation): string {
  return `${created.length} objects created, ${changed.length} changed, ${unchanged.length} unchanged`;
}

/** Established comes a moment before the API server can store objects: only a list that works says so. */
async function waitForDefinitions(options: InstallOptions): Promise<void> {
  const { access, reporter, clock, signal, timeoutMs } = options;
  for (const resource of [RESOURCES.links, RESOURCES.peers]) {
    const definition = `${resource.plural}.${resource.group}`;
    const look = async (): Promise<Sighting<true>> => {
      try {
        await access.client.list(resource, { namespace: INSTALL_NAMESPACE, limit: 1, signal });
        return { found: true };
      } catch (error) {
        if (!isApiError(error, 404, 429, 503)) throw error;
        return { missing: await definitionTrouble(access, definition, signal) };
      }
    };
    await waitUntil(`CustomResourceDefinition ${definition}`, look, {
      clock,
      signal,
      timeoutMs,
      onMissing: (missing) => reporter.progress(`${definition}: ${missing}`),
    });
  }
}

interface StatusDefinition extends KubeObject {
  status?: { conditions?: { type: string; status: string; message?: string }[] };
}

async function definitionTrouble(
  { client }: ClusterAccess,
  name: string,
  signal: AbortSignal,
): Promise<string> {
  const resource = RESOURCES.customResourceDefinitions;
  const found = await client.find<StatusDefinition>(resource, { name }, { signal });
  const trouble = found?.status?.conditions?.find(({ status }) => status === "False");
  return trouble === undefined
    ? "not served yet"
    : `${trouble.type} is False: ${trouble.message ?? ""}`;
}

async function waitForWorkloads(options: InstallOptions, clusterName: string): Promise<void> {
  const { access, reporter, clock, signal } = options;
  const deadlineMs = clock.nowMs() + options.timeoutMs;
  const wait = {
    clock,
    signal,
    onMissing: (missing: string) => reporter.progress(missing),
    fix: `kubectl --context ${access.contextName} -n ${INSTALL_NAMESPACE} describe pods; then give the command again, it carries on`,
  };
  const leftMs = () => Math.max(0, deadlineMs - clock.nowMs());
  for (const name of DEPLOYMENT_NAMES) {
    const look = () => lookAtRollout(access.client, name, signal);
    const ready = await waitUntil(`Deployment ${name}`, look, { ...wait, timeoutMs: leftMs() });
    reporter.done(`${name}: ${ready} pods ready`);
    // The gateway starts only once the controller has issued its certificate.
    if (name === DEPLOYMENT_NAMES[0]) await waitForIdentity({ ...wait, timeoutMs: leftMs() });
  }

  async function waitForIdentity(patience: Parameters<typeof waitUntil>[2]): Promise<void> {
    const look = async (): Promise<Sighting<true>> => {
      const identity = await findIdentity(access, signal);
      if (identity === undefined)
        return { missing: "the controller has not published who this cluster is" };
      return identity.clusterName === clusterName
        ? { found: true }
        : { missing: `the published name is ${identity.clusterName}, not ${clusterName}` };
    };
    await waitUntil(`identity of cluster ${clusterName}`, look, patience);
    reporter.done(`certificate authority of cluster ${clusterName} is in place`);
  }
}
