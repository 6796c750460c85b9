import {
  CLI_FIELD_MANAGER,
  INSTALL_NAMESPACE,
  linkServiceAccountName,
} from "../../../api/names.ts";
import type { KubeObject } from "../../../api/objects.ts";
import type { Peer } from "../../../api/peer.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { ownObjects, titleOf } from "../install/own-objects.ts";
import { everywhere } from "../join/provider-objects.ts";
import { listAll } from "../list-all.ts";
import { isMadeByLink } from "../owned-labels.ts";
import type { Reporter } from "../reporter.ts";
import {
  describeOwnObject,
  mirrorObjectsOf,
  removeMirrorObject,
} from "../unjoin/mirror-objects.ts";

export interface ConformOptions {
  access: ClusterAccess;
  /** The only namespaces that Isthmus works in; empty: all. */
  namespaces: readonly string[];
  reporter: Reporter;
  signal: AbortSignal;
}

/**
 * Brings what joins and mirrors have made in line with the namespaces that
 * Isthmus may work in: consumers that were joined before may read everywhere
 * only where all namespaces are meant, and mirrors elsewhere, which no
 * controller may touch any more, are removed.
 */
export async function conformToNamespaces(options: ConformOptions): Promise<void> {
  if (options.namespaces.length === 0) return await letConsumersReadEverywhere(options);
  await keepConsumersOut(options);
  await removeMirrorsElsewhere(options);
}

async function keepConsumersOut({ access, reporter, signal }: ConformOptions): Promise<void> {
  const present = await ownObjects(access, signal);
  const bindings = present.filter(
    ({ resource, object }) =>
      resource === RESOURCES.clusterRoleBindings &&
      isMadeByLink(object) &&
      object.metadata.name.startsWith(linkServiceAccountName("")),
  );
  for (const binding of bindings) {
    const { name, uid } = binding.object.metadata;
    await access.client.remove(
      binding.resource,
      { name },
      {
        ...(uid !== undefined && { uid }),
        signal,
      },
    );
    reporter.done(
      `removed ${titleOf(binding)}: consumers read only the namespaces that are listed`,
    );
  }
}

async function letConsumersReadEverywhere(options: ConformOptions): Promise<void> {
  const { access, reporter, signal } = options;
  const query = { namespace: INSTALL_NAMESPACE, signal };
  for (const { metadata } of await listAll<Peer>(access, RESOURCES.peers, query)) {
    const name = linkServiceAccountName(metadata.name);
    const key = { namespace: INSTALL_NAMESPACE, name };
    const [account, binding] = await Promise.all([
      access.client.find<KubeObject>(RESOURCES.serviceAccounts, key, { signal }),
      access.client.find<KubeObject>(RESOURCES.clusterRoleBindings, { name }, { signal }),
    ]);
    if (account === undefined || !isMadeByLink(account) || binding !== undefined) continue;
    const { resource, object } = everywhere(metadata.name);
    await access.client.apply(resource, object, { fieldManager: CLI_FIELD_MANAGER, signal });
    reporter.done(
      `made ClusterRoleBinding ${name}: cluster ${metadata.name} may read all namespaces`,
    );
  }
}

async function removeMirrorsElsewhere(options: ConformOptions): Promise<void> {
  const { access, namespaces, reporter, signal } = options;
  const all = await mirrorObjectsOf(access, undefined, signal);
  const elsewhere = all.filter(
    ({ object }) => !namespaces.includes(object.metadata.namespace ?? ""),
  );
  for (const mirror of elsewhere) {
    await removeMirrorObject(access, mirror, signal);
    reporter.info(`removed ${describeOwnObject(mirror)}, which is in none of the namespaces`);
  }
}
