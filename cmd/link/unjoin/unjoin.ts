import { clusterNameOf, type Link, linkSpecSchema } from "../../../api/link.ts";
import {
  CONFIG_CLUSTER_NAME_KEY,
  CONFIG_MAP_NAME,
  INSTALL_NAMESPACE,
  LABELS,
} from "../../../api/names.ts";
import type { ConfigMap, Secret } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { KubeConnectionError } from "../../../kube/client/api-error.ts";
import { CliError } from "../cli-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { providerKeys } from "../join/provider-objects.ts";
import { linkNotFound } from "../not-found.ts";
import { isMadeByLink } from "../owned-labels.ts";
import { mirrorObjectsOf } from "./mirror-objects.ts";
import { removeIfOurs } from "./remove-if-ours.ts";
import { removeLink, removeMirrors, warnOfHeld } from "./remove-link.ts";
import type { UnjoinOptions } from "./unjoin-options.ts";

/**
 * Removes a Link with all its mirrors and its credentials, and the consumer's
 * account and Peer from the provider; with `mutual` the same the other way
 * round. What `link join` did not make is left. Can be given again after a
 * failure: it carries on.
 * @throws CliError when there is nothing to unjoin, or the mirrors are not removed in time.
 */
export async function unjoin(options: UnjoinOptions): Promise<void> {
  const { access, provider, mutual = false } = options;
  // Looked for before anything is removed: afterwards nobody can tell which Link it was.
  const back = mutual && provider !== undefined ? await linksBack(options, provider) : [];
  // Where an earlier attempt came as far as the other direction, this one is gone.
  if (back.length === 0 || (await isThere(options))) await unjoinOne(options);
  for (const linkName of back) {
    await unjoinOne({ ...options, access: provider ?? access, provider: access, linkName });
  }
}

/** Names of the provider's Links to the consumer. */
async function linksBack(
  { access, signal }: UnjoinOptions,
  provider: ClusterAccess,
): Promise<string[]> {
  const consumer = await ownName(access, signal);
  await providerName(provider, signal);
  const query = { namespace: INSTALL_NAMESPACE, signal };
  const { items } = await provider.client.list<Link>(RESOURCES.links, query);
  return items.filter((link) => leadsTo(link) === consumer).map(({ metadata }) => metadata.name);
}

async function isThere({ access, linkName, signal }: UnjoinOptions): Promise<boolean> {
  const link = await access.client.find<Link>(RESOURCES.links, inSystem(linkName), { signal });
  return link !== undefined || (await credentialsOf(access, linkName, signal)).length > 0;
}

async function unjoinOne(options: UnjoinOptions): Promise<void> {
  const { access, linkName, provider, reporter, signal } = options;
  const link = await access.client.find<Link>(RESOURCES.links, inSystem(linkName), { signal });
  const secrets = await credentialsOf(access, linkName, signal);
  const there = provider === undefined ? undefined : await providerName(provider, signal);
  const leftovers = link === undefined ? await mirrorObjectsOf(access, linkName, signal) : [];
  const hasLeftovers = options.force && leftovers.length > 0;
  // A Link bears its provider's name by default: so the rest there can go when the Link has gone before.
  if (link === undefined && secrets.length === 0 && !hasLeftovers && there !== linkName) {
    throw await nothingToUnjoin(options, leftovers.length);
  }
  const consumer = await ownName(access, signal);
  if (provider !== undefined) checkProvider(provider, there, link);
  if (link !== undefined) await removeLink(options, link);
  else if (hasLeftovers) await removeMirrors(options);
  await warnOfHeld(options);
  for (const secret of secrets) {
    const key = { resource: RESOURCES.secrets, name: secret.metadata.name };
    await removeIfOurs(access, key, options);
  }
  const keys = consumer === undefined ? [] : providerKeys(consumer);
  if (provider !== undefined) {
    let found = 0;
    for (const key of keys) if (await removeIfOurs(provider, key, options)) found += 1;
    if (link === undefined && secrets.length + leftovers.length + found === 0) {
      throw await nothingToUnjoin(options, 0);
    }
    reporter.done(`cluster ${consumer ?? ""} is unjoined on both sides`);
    return;
  }
  reporter.done(`Link ${linkName} is gone, with its mirrors and credentials`);
  if (consumer === undefined) return;
  reporter.warn(
    "the provider still has the account and the Peer of this cluster; remove them there:",
  );
  reporter.info(`link unjoin --peer ${consumer} --context PROVIDER`);
}

async function nothingToUnjoin(
  { access, linkName, signal }: UnjoinOptions,
  leftovers: number,
): Promise<CliError> {
  if (leftovers > 0) {
    return new CliError(`context ${access.contextName}: Link ${linkName} does not exist`, {
      fix: `${leftovers} objects of its mirrors are left; a controller that runs removes them, and without one: link unjoin ${linkName} --context ${access.contextName} --force`,
    });
  }
  const query = { namespace: INSTALL_NAMESPACE, signal };
  const { items } = await access.client.list<Link>(RESOURCES.links, query);
  const known = items.map(({ metadata }) => metadata.name);
  return linkNotFound(access, linkName, known);
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
  const expected = link === undefined ? undefined : leadsTo(link);
  if (link === undefined || expected === undefined || there === undefined) return;
  if (there === expected) return;
  throw new CliError(
    `context ${provider.contextName} is cluster ${there}, but Link ${link.metadata.name} leads to ${expected}`,
    { fix: `give the context of ${expected} with --provider-context, or leave it out` },
  );
}

/** The cluster that a Link leads to; undefined where its spec cannot be read. */
function leadsTo(link: Link): string | undefined {
  const spec = linkSpecSchema.safeParse(link.spec);
  return spec.success ? clusterNameOf(link, spec.data) : undefined;
}
