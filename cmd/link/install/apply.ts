import { isDeepStrictEqual } from "node:util";
import pRetry from "p-retry";
import { CLI_FIELD_MANAGER, INSTALL_NAMESPACE } from "../../../api/names.ts";
import type { KubeObject } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { isApiError } from "../../../kube/client/api-error.ts";
import { resourcePath } from "../../../kube/client/resource-path.ts";
import { CliError } from "../cli-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import type { Reporter } from "../reporter.ts";
import type { Manifest } from "./manifests.ts";
import { takeOverFields } from "./take-over.ts";

/** What an application of manifests did, or with a dry run would do: titles of objects. */
export interface Outcomes {
  readonly created: readonly string[];
  readonly changed: readonly string[];
  readonly unchanged: readonly string[];
}

type Outcome = keyof Outcomes;

export interface ApplyOptions {
  access: ClusterAccess;
  /** Only asks the API server what would change. */
  dryRun: boolean;
  signal: AbortSignal;
}

/**
 * Applies manifests one after the other (server-side apply, by force: the
 * manifests decide). An interruption is heeded between two objects.
 * @throws CliError where the cluster does not know a kind.
 */
export async function applyManifests(
  manifests: readonly Manifest[],
  options: ApplyOptions,
): Promise<Outcomes> {
  const outcomes: Record<Outcome, string[]> = { created: [], changed: [], unchanged: [] };
  for (const manifest of manifests) {
    options.signal.throwIfAborted();
    const title = `${manifest.resource.kind} ${manifest.object.metadata.name}`;
    outcomes[await applyOne(manifest, options)].push(title);
  }
  return outcomes;
}

/**
 * The manifests without those of namespaces that do not exist: these are told,
 * and come with the next upgrade.
 */
export async function withoutMissingNamespaces(
  manifests: readonly Manifest[],
  { access, reporter, signal }: Pick<ApplyOptions, "access" | "signal"> & { reporter: Reporter },
): Promise<Manifest[]> {
  const { contextName, client } = access;
  const named = new Set(manifests.flatMap(({ object }) => object.metadata.namespace ?? []));
  const missing = new Set<string>();
  for (const name of named) {
    if (name === INSTALL_NAMESPACE) continue;
    const found = await client.find(RESOURCES.namespaces, { name }, { signal });
    if (found !== undefined) continue;
    missing.add(name);
    reporter.warn(
      `namespace ${name} does not exist, so that nothing is allowed in it yet; once it does: link upgrade --context ${contextName}`,
    );
  }
  return manifests.filter(({ object }) => !missing.has(object.metadata.namespace ?? ""));
}

/** Numbers for a line: what there is none of is left out. */
export function summaryOf(outcomes: Outcomes): string {
  return counted(outcomes, { created: "created", changed: "changed" });
}

function counted(
  { created, changed, unchanged }: Outcomes,
  words: { created: string; changed: string },
): string {
  const counts = [
    ...(created.length > 0 ? [`${created.length} objects ${words.created}`] : []),
    ...(changed.length > 0 ? [`${changed.length} objects ${words.changed}`] : []),
    ...(unchanged.length > 0 ? [`${unchanged.length} objects are as they should be`] : []),
  ];
  return counts.join(", ");
}

/** What a dry run found, a line for each object that would not stay as it is. */
export function tellDryRun(reporter: Reporter, outcomes: Outcomes): void {
  for (const title of outcomes.created) reporter.info(`would be created: ${title}`);
  for (const title of outcomes.changed) reporter.info(`would be changed: ${title}`);
  const words = { created: "would be created", changed: "would be changed" };
  reporter.done(`dry run, nothing was written: ${counted(outcomes, words)}`);
}

async function applyOne(
  manifest: Manifest,
  { access, dryRun, signal }: ApplyOptions,
): Promise<Outcome> {
  const { resource, object } = manifest;
  try {
    const before = await access.client.find(resource, object.metadata, { signal });
    if (dryRun && before === undefined) return "created";
    if (before !== undefined && !dryRun) await takeOver(access, manifest, before, signal);
    // What someone else set on our own objects is taken back: the manifests decide.
    const after = await access.client.request<KubeObject>({
      method: "PATCH",
      path: resourcePath(resource, object.metadata),
      query: { fieldManager: CLI_FIELD_MANAGER, force: true, ...(dryRun && { dryRun: "All" }) },
      contentType: "application/apply-patch+yaml",
      body: object,
    });
    if (before === undefined) return "created";
    return isDeepStrictEqual(contentOf(before), contentOf(after)) ? "unchanged" : "changed";
  } catch (error) {
    throw explain(error, access, manifest);
  }
}

/** A controller may write a status between our look and our write. */
const CONFLICT_RETRIES = { retries: 8, minTimeout: 50, maxTimeout: 1000, randomize: true };

/** Makes fields ours that kubectl applied; the object may change meanwhile, and is then looked at again. */
async function takeOver(
  { client }: ClusterAccess,
  { resource, object }: Manifest,
  seen: KubeObject,
  signal: AbortSignal,
): Promise<void> {
  if (takeOverFields(seen) === undefined) return;
  const once = async () => {
    const found = await client.find<KubeObject>(resource, object.metadata, { signal });
    const managedFields = found && takeOverFields(found);
    if (found === undefined || managedFields === undefined) return;
    const { resourceVersion } = found.metadata;
    await client.patch(
      resource,
      found.metadata,
      [
        { op: "replace", path: "/metadata/managedFields", value: managedFields },
        // Refused where somebody wrote it meanwhile: their fields would not be in the list.
        { op: "replace", path: "/metadata/resourceVersion", value: resourceVersion },
      ],
      { type: "json" },
    );
  };
  await pRetry(once, {
    ...CONFLICT_RETRIES,
    signal,
    shouldRetry: ({ error }) => isApiError(error, "Conflict"),
  });
}

/** A kind that the cluster does not know is answered with a bare "page not found". */
function explain(error: unknown, { contextName }: ClusterAccess, manifest: Manifest): unknown {
  if (!isApiError(error, 404)) return error;
  const { kind, group } = manifest.resource;
  const operator = OPERATORS[group];
  return new CliError(
    `context ${contextName}: the cluster does not know the kind ${kind}.${group} of ${kind} ${manifest.object.metadata.name}`,
    {
      fix:
        operator === undefined
          ? "use a newer version of Kubernetes"
          : `install ${operator} first, or leave out the component that needs it; then give the command again, it carries on`,
      cause: error,
    },
  );
}

/** Whose definitions components need. */
const OPERATORS: Readonly<Record<string, string>> = {
  [RESOURCES.podMonitors.group]: "the Prometheus operator",
  [RESOURCES.certificates.group]: "cert-manager",
};

/** An object without what changes by itself. */
function contentOf(object: KubeObject): unknown {
  const { managedFields: _owners, resourceVersion: _version, ...metadata } = object.metadata;
  return { ...object, metadata, status: undefined };
}
