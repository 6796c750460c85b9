import { INSTALL_NAMESPACE, joinTokenName, linkServiceAccountName } from "../../../api/names.ts";
import type { Peer } from "../../../api/peer.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { CliError } from "../cli-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { providerKeys } from "../join/provider-objects.ts";
import type { Reporter } from "../reporter.ts";
import { didYouMean } from "../suggest.ts";
import { removeIfOurs } from "./remove-if-ours.ts";

export interface UnjoinPeerOptions {
  /** The provider, whose administrator asks. */
  access: ClusterAccess;
  /** Cluster name of the consumer that is to be let in no more. */
  consumer: string;
  reporter: Reporter;
  signal: AbortSignal;
}

/**
 * Ends a join from the provider's side alone: removes the consumer's Peer,
 * its account with all rights, and a join token of it that is pending. Its
 * gateways are refused at once, its mirrors close. What others made is left.
 * @throws CliError when nothing is there for a consumer of that name.
 */
export async function unjoinPeer(options: UnjoinPeerOptions): Promise<void> {
  const { access, consumer, reporter } = options;
  reporter.progress(`removing what cluster ${consumer} has here`);
  let found = 0;
  for (const key of keysOf(consumer)) {
    if (await removeIfOurs(access, key, options)) found += 1;
  }
  if (found === 0) throw await nothingThere(options);
  reporter.done(
    `context ${access.contextName}: nothing is left of the join of cluster ${consumer}`,
  );
  reporter.info(
    `cluster ${consumer} keeps its Link and its mirrors, which are closed now, until it is unjoined there`,
  );
}

/** The Peer first: with it gone no gateway lets the consumer in. The token's rights belong to its Secret. */
function keysOf(consumer: string) {
  return [
    ...providerKeys(consumer),
    { resource: RESOURCES.secrets, name: joinTokenName(consumer) },
  ];
}

async function nothingThere({ access, consumer, signal }: UnjoinPeerOptions): Promise<CliError> {
  const { items } = await access.client.list<Peer>(RESOURCES.peers, {
    namespace: INSTALL_NAMESPACE,
    signal,
  });
  const known = items.map(({ metadata }) => metadata.name);
  const list =
    known.length === 0 ? "no cluster is joined there" : `joined are: ${known.join(", ")}`;
  return new CliError(
    `context ${access.contextName}: neither Peer ${consumer} nor ServiceAccount ${linkServiceAccountName(consumer)} exists`,
    { fix: didYouMean(consumer, known) ?? list },
  );
}
