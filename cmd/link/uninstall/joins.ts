import { clusterNameOf, type Link, linkSpecSchema } from "../../../api/link.ts";
import { INSTALL_NAMESPACE } from "../../../api/names.ts";
import type { Peer } from "../../../api/peer.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { isApiError } from "../../../kube/client/api-error.ts";
import { CliError } from "../cli-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";

/** What other clusters a cluster is bound to. */
export interface Joins {
  readonly links: readonly Link[];
  readonly peers: readonly Peer[];
}

/** The Links and Peers of a cluster; none where their definitions are gone already. */
export async function findJoins({ client }: ClusterAccess, signal: AbortSignal): Promise<Joins> {
  const query = { namespace: INSTALL_NAMESPACE, signal };
  try {
    const [links, peers] = await Promise.all([
      client.list<Link>(RESOURCES.links, query),
      client.list<Peer>(RESOURCES.peers, query),
    ]);
    return { links: links.items, peers: peers.items };
  } catch (error) {
    if (isApiError(error, 404)) return { links: [], peers: [] };
    throw error;
  }
}

/** A line for each, with what it means. */
export function describeJoins({ links, peers }: Joins): string[] {
  return [
    ...links.map(
      (link) =>
        `Link ${link.metadata.name}, by which this cluster uses what ${clusterOf(link)} exports`,
    ),
    ...peers.map(
      ({ metadata: { name } }) => `Peer ${name}, a cluster that uses what this one exports`,
    ),
  ];
}

/** Why a cluster that is joined to others is not uninstalled. */
export function joinedRefusal({ contextName }: ClusterAccess, joins: Joins): CliError {
  const { links, peers } = joins;
  const commands = [
    ...links.map(({ metadata }) => `link unjoin ${metadata.name} --context ${contextName}`),
    ...peers.map(({ metadata }) => `link unjoin --peer ${metadata.name} --context ${contextName}`),
  ];
  return new CliError(
    `context ${contextName} is joined to other clusters, and nothing was removed: ${describeJoins(joins).join("; ")}`,
    {
      fix: `first: ${commands.join("; ")}; or give --force, which ends all of these joins`,
    },
  );
}

function clusterOf(link: Link): string {
  const spec = linkSpecSchema.safeParse(link.spec);
  return spec.success ? clusterNameOf(link, spec.data) : link.metadata.name;
}
