import { ANNOTATIONS, INSTALL_NAMESPACE } from "../../../api/names.ts";
import type { Namespace } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { Manifest } from "../install/manifests.ts";
import { isPartOfIsthmus, titleOf } from "../install/own-objects.ts";
import { listAll } from "../list-all.ts";
import { type Sighting, waitUntil } from "../wait-until.ts";
import { contentOf } from "./namespace-content.ts";
import type { UninstallOptions } from "./uninstall-options.ts";

const MAX_NAMED = 5;

interface StatusNamespace extends Namespace {
  status?: NonNullable<Namespace["status"]> & {
    conditions?: { type: string; status: string; message?: string }[];
  };
}

/**
 * Has the install namespace removed, if nothing is in it but what Isthmus made;
 * {@link removeNamespaces} waits until it is gone. Asked early, since Kubernetes
 * takes some seconds for a namespace, whatever is in it.
 */
export async function beginRemoval({ access, signal }: UninstallOptions): Promise<void> {
  const { client } = access;
  const key = { name: INSTALL_NAMESPACE };
  const namespace = await client.find<Namespace>(RESOURCES.namespaces, key, { signal });
  if (namespace === undefined) return;
  const content = await contentOf(access, INSTALL_NAMESPACE, signal);
  if (content.every(isOurs)) await remove(access, namespace, signal);
}

/**
 * Removes the install namespace, and those that were made for mirrors
 * (createNamespaces), where nothing is in them but what Isthmus made: else the
 * namespace is left, and it is said what lies there.
 * @throws CliError when one is not gone in time, with what holds it.
 */
export async function removeNamespaces(options: UninstallOptions): Promise<void> {
  const { access, reporter, signal } = options;
  const all = await listAll<Namespace>(access, RESOURCES.namespaces, { signal });
  const going: Namespace[] = [];
  for (const namespace of all) {
    const { name, deletionTimestamp } = namespace.metadata;
    if (name !== INSTALL_NAMESPACE && !isMadeForMirrors(namespace)) continue;
    if (deletionTimestamp === undefined && !(await isEmptied(options, name))) continue;
    await remove(access, namespace, signal);
    going.push(namespace);
  }
  for (const namespace of going) {
    await waitUntilGone(options, namespace);
    reporter.done(`removed namespace ${namespace.metadata.name} with all that was in it`);
  }
}

/** Removes what is ours, one by one, where there is something else; says what that is. */
async function isEmptied(
  { access, reporter, signal }: UninstallOptions,
  name: string,
): Promise<boolean> {
  reporter.progress(`looking at what is in namespace ${name}`);
  const content = await contentOf(access, name, signal);
  const foreign = content.filter((item) => name !== INSTALL_NAMESPACE || !isOurs(item));
  if (foreign.length === 0) return true;
  const more = foreign.length - MAX_NAMED;
  const named = foreign.slice(0, MAX_NAMED).map(titleOf).join(", ");
  reporter.warn(
    `namespace ${name} is left, since it holds what Isthmus did not make: ${named}${more > 0 ? ` and ${more} more` : ""}`,
  );
  for (const item of content.filter((candidate) => !foreign.includes(candidate))) {
    await access.client.remove(
      item.resource,
      { ...item.object.metadata, namespace: name },
      { signal },
    );
  }
  return false;
}

function isMadeForMirrors({ metadata }: Namespace): boolean {
  return metadata.annotations?.[ANNOTATIONS.createdFor] !== undefined;
}

/** In the install namespace: what we applied, what our programs made under our names, and Helm's record of us. */
function isOurs({ resource, object }: Manifest): boolean {
  const { name, labels } = object.metadata;
  const isHelmRecord = resource.plural === RESOURCES.secrets.plural && labels?.["owner"] === "helm";
  return isPartOfIsthmus(object) || name.startsWith("isthmus-") || isHelmRecord;
}

async function remove(
  { client }: UninstallOptions["access"],
  { metadata: { name, uid } }: Namespace,
  signal: AbortSignal,
): Promise<void> {
  await client.remove(
    RESOURCES.namespaces,
    { name },
    {
      ...(uid !== undefined && { uid }),
      signal,
    },
  );
}

async function waitUntilGone(options: UninstallOptions, { metadata }: Namespace): Promise<void> {
  const { access, reporter, clock, signal, timeoutMs } = options;
  const { name, uid } = metadata;
  const look = async (): Promise<Sighting<true>> => {
    const found = await access.client.find<StatusNamespace>(
      RESOURCES.namespaces,
      { name },
      { signal },
    );
    return found === undefined || found.metadata.uid !== uid
      ? { found: true }
      : { missing: whatHolds(found) };
  };
  await waitUntil(`removal of namespace ${name}`, look, {
    clock,
    signal,
    timeoutMs,
    onMissing: (missing) => reporter.progress(missing),
    fix: `see what holds it: kubectl --context ${access.contextName} get namespace ${name} -o yaml; then give the command again, it carries on`,
  });
}

/** In the words of the namespace controller, which says what it waits for. */
function whatHolds({ metadata, status }: StatusNamespace): string {
  const trouble = (status?.conditions ?? []).filter(({ status: value }) => value === "True");
  const [first] = trouble.flatMap(({ message = "" }) => message);
  return first === undefined
    ? `namespace ${metadata.name} is going`
    : `namespace ${metadata.name} is going: ${first}`;
}
