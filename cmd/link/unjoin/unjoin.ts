import { clusterNameOf, type Link, linkSpecSchema } from "../../../api/link.ts";
import {
  CONFIG_CLUSTER_NAME_KEY,
  CONFIG_MAP_NAME,
  INSTALL_NAMESPACE,
  LABELS,
} from "../../../api/names.ts";
import type { ConfigMap, KubeObject, Secret } from "../../../api/objects.ts";
import { type Resource, RESOURCES } from "../../../api/resources.ts";
import { KubeConnectionError } from "../../../kube/client/api-error.ts";
import { CliError } from "../cli-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { providerKeys } from "../join/provider-objects.ts";
import { isMadeByLink } from "../owned-labels.ts";
import { mirrorObjectsOf } from "./mirror-objects.ts";
import { removeLink, removeMirrors, warnOfHeld } from "./remove-link.ts";
import type { UnjoinOptions } from "./unjoin-options.ts";

/**
 * Removes a Link with all its mirrors and its credentials, and the consumer's
 * account and Peer from the provider. What `link join` did not make is left.
 * Can be given again after a failure: it carries on.
 * @throws CliError when there is nothing to unjoin, or the mirrors are not removed in time.
 */
export async function unjoin(options: UnjoinOptions): Promise<void> {
  const { access, linkName, provider, reporter, signal } = options;
  const link = await access.client.find<Link>(RESOURCES.links, inSystem(linkName), { signal });
  const secrets = await credentialsOf(access, linkName, signal);
  const there = provider === undefined ? undefined : await providerName(provider, signal);
  const leftovers = link === undefined ? await mirrorObjectsOf(access, linkName, signal) : [];
  const hasLeftovers = options.force && leftovers.length > 0;
  // A Link bears its provider's name by default: so the rest there can go when the Link has gone before.
  if (link === undefined && secrets.length === 0 && !hasLeftovers && there !== linkName) {
    throw new CliError(`context ${access.contextName}: Link ${linkName} does not exist`, {
      fix:
        leftovers.length === 0
          ? `see which there are: link status --context ${access.contextName}`
          : `${leftovers.length} objects of its mirrors are left; a controller that runs removes them, and without one: link unjoin ${linkName} --context ${access.contextName} --force`,
    });
  }
  const consumer = await ownName(access, signal);
  if (provider !== undefined) checkProvider(provider, there, link);
  if (link !== undefined) await removeLink(options, link);
  else if (hasLeftovers) await removeMirrors(options);
  await warnOfHeld(options);
  for (const secret of secrets) {
    await removeIfOurs(options, access, RESOURCES.secrets, secret.metadata.name);
  }
  const keys = consumer === undefined ? [] : providerKeys(consumer);
  if (provider !== undefined) {
    for (const { resource, name } of keys) await removeIfOurs(options, provider, resource, name);
    reporter.done(`cluster ${consumer ?? ""} is unjoined on both sides`);
    return;
  }
  reporter.done(`Link ${linkName} is gone, with its mirrors and credentials`);
  if (keys.length === 0) return;
  reporter.warn(
    "the provider still has the account and the Peer of this cluster; remove them there:",
  );
  for (const { resource, name } of keys) reporter.info(removalCommand(resource, name));
}

function removalCommand({ plural, group, namespaced }: Resource, name: string): string {
  const kind = group === "" ? plural : `${plural}.${group}`;
  const namespace = namespaced ? ` -n ${INSTALL_NAMESPACE}` : "";
  return `kubectl --context PROVIDER${namespace} delete ${kind} ${name} --ignore-not-found`;
}

function inSystem(name: string): { namespace: string; name: string } {
  return { namespace: INSTALL_NAMESPACE, name };
}

/** Secrets that `link join` made for the Link, also when the Link itself is gone already. */
async function credentialsOf(
  { client }: ClusterAccess,
  linkName: string,
  signal: AbortSignal,
): Promise<Secret[]> {
  const { items } = await client.list<Secret>(RESOURCES.secrets, {
    namespace: INSTALL_NAMESPACE,
    labelSelector: `${LABELS.link}=${linkName}`,
    signal,
  });
  return items.filter(isMadeByLink);
}

async function ownName(
  { client }: ClusterAccess,
  signal: AbortSignal,
): Promise<string | undefined> {
  const key = inSystem(CONFIG_MAP_NAME);
  const config = await client.find<ConfigMap>(RESOURCES.configMaps, key, { signal });
  return config?.data?.[CONFIG_CLUSTER_NAME_KEY];
}

/** Asked before anything is removed, so that an unreachable provider leaves nothing half done. */
async function providerName(
  provider: ClusterAccess,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    return await ownName(provider, signal);
  } catch (error) {
    if (!(error instanceof KubeConnectionError)) throw error;
    throw new CliError(`context ${provider.contextName}: ${error.message}`, {
      fix: "if the provider is gone, leave out --provider-context: this side is removed without it",
      cause: error,
    });
  }
}

/** The wrong context would lose its own Peer of that name. */
function checkProvider(
  provider: ClusterAccess,
  there: string | undefined,
  link: Link | undefined,
): void {
  const spec = linkSpecSchema.safeParse(link?.spec);
  if (link === undefined || !spec.success || there === undefined) return;
  const expected = clusterNameOf(link, spec.data);
  if (there === expected) return;
  throw new CliError(
    `context ${provider.contextName} is cluster ${there}, but Link ${link.metadata.name} leads to ${expected}`,
    { fix: `give the context of ${expected} with --provider-context, or leave it out` },
  );
}

async function removeIfOurs(
  { reporter, signal }: UnjoinOptions,
  { client, contextName }: ClusterAccess,
  resource: Resource,
  name: string,
): Promise<void> {
  const key = resource.namespaced ? inSystem(name) : { name };
  const found = await client.find<KubeObject>(resource, key, { signal });
  if (found === undefined) return;
  const title = `${resource.kind} ${name} (context ${contextName})`;
  if (!isMadeByLink(found)) {
    reporter.warn(`${title} was not made by link join and is left`);
    return;
  }
  const { uid } = found.metadata;
  await client.remove(resource, key, { ...(uid !== undefined && { uid }), signal });
  reporter.done(`removed ${title}`);
}
