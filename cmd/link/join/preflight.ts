import { isIP } from "node:net";
import { clusterNameOf, type Link, linkSpecSchema } from "../../../api/link.ts";
import { GATEWAY_NAME, gatewayIdentity, INSTALL_NAMESPACE } from "../../../api/names.ts";
import type { ConfigMap } from "../../../api/objects.ts";
import { type Peer, parsePeerSpec } from "../../../api/peer.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { CliError, EXIT_CODES } from "../cli-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { type ClusterIdentity, requireIdentity } from "../identity.ts";
import type { Reporter } from "../reporter.ts";
import type { GatewayEndpoint, ProviderEndpoint } from "./consumer-objects.ts";
import { endpointForLink, findGateway } from "./gateway-endpoint.ts";

/** One direction of a join: the consumer gets the provider's Services. */
export interface Direction {
  readonly provider: ClusterAccess;
  readonly consumer: ClusterAccess;
  /** Name of the Link; default: the provider's cluster name. */
  readonly linkName?: string | undefined;
  /** URL by which the consumer's pods reach the provider's API; default: that of the context. */
  readonly server?: string | undefined;
  readonly gateway: GatewayEndpoint;
  /** The flag that sets `server`, for messages. */
  readonly serverFlag: string;
}

/** A direction of which nothing stands in the way any more. */
export interface JoinPlan {
  readonly direction: Direction;
  readonly provider: ClusterIdentity;
  readonly consumer: ClusterIdentity;
  readonly linkName: string;
  readonly endpoint: ProviderEndpoint;
  readonly gateway: GatewayEndpoint;
  /** The Link exists already. */
  readonly update: boolean;
}

/**
 * Everything that can be checked before anything is made.
 * @throws CliError naming the object that stands in the way, and the fix.
 */
export async function planJoin(
  direction: Direction,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<JoinPlan> {
  const [provider, consumer] = await Promise.all([
    requireIdentity(direction.provider, signal),
    requireIdentity(direction.consumer, signal),
  ]);
  checkNames(direction, provider, consumer);
  const linkName = direction.linkName ?? provider.clusterName;
  const update = await checkLinks(direction.consumer, linkName, provider.clusterName, signal);
  await checkPeer(direction.provider, consumer, signal);
  const endpoint = await endpointOf(direction, reporter, signal);
  const gateway = await gatewayOf(direction, reporter, signal);
  return { direction, provider, consumer, linkName, endpoint, gateway, update };
}

function checkNames(direction: Direction, provider: ClusterIdentity, consumer: ClusterIdentity) {
  if (provider.clusterName === consumer.clusterName) {
    throw new CliError(
      `contexts ${direction.provider.contextName} and ${direction.consumer.contextName} are both installed under the cluster name ${provider.clusterName}`,
      { fix: "join two different clusters; install each with a --cluster-name of its own" },
    );
  }
  for (const [access, identity] of [
    [direction.provider, provider],
    [direction.consumer, consumer],
  ] as const) {
    if (identity.gatewayIdentity !== gatewayIdentity(identity.clusterName)) {
      throw new CliError(
        `context ${access.contextName}: the published gateway identity ${identity.gatewayIdentity} does not belong to cluster ${identity.clusterName}`,
        { fix: `link install --context ${access.contextName}` },
      );
    }
  }
}

/**
 * Whether the Link exists already, and is to be updated.
 * @throws CliError when it leads elsewhere, is being deleted, or another one leads to that cluster.
 */
export async function checkLinks(
  { client, contextName }: ClusterAccess,
  linkName: string,
  clusterName: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { items } = await client.list<Link>(RESOURCES.links, {
    namespace: INSTALL_NAMESPACE,
    signal,
  });
  for (const link of items) {
    const { name, deletionTimestamp } = link.metadata;
    const linked = linkedCluster(link);
    if (name === linkName && deletionTimestamp !== undefined) {
      throw new CliError(`context ${contextName}: Link ${name} is being deleted`, {
        fix: "wait until it is gone, then join again",
      });
    }
    if (name === linkName && linked !== clusterName) {
      throw new CliError(`context ${contextName}: Link ${name} leads to cluster ${linked}`, {
        fix: `choose another --name, or first: link unjoin ${name} --context ${contextName}`,
      });
    }
    if (name !== linkName && linked === clusterName) {
      throw new CliError(
        `context ${contextName}: cluster ${clusterName} is linked already, by Link ${name}`,
        {
          fix: `give --name ${name} to update it, or first: link unjoin ${name} --context ${contextName}`,
        },
      );
    }
  }
  return items.some(({ metadata }) => metadata.name === linkName);
}

function linkedCluster(link: Link): string {
  const spec = linkSpecSchema.safeParse(link.spec);
  return spec.success ? clusterNameOf(link, spec.data) : link.metadata.name;
}

/** A Peer of the consumer's name may stand for another cluster, whose place ours would take. */
async function checkPeer(
  { client, contextName }: ClusterAccess,
  consumer: ClusterIdentity,
  signal: AbortSignal,
): Promise<void> {
  const key = { namespace: INSTALL_NAMESPACE, name: consumer.clusterName };
  const peer = await client.find<Peer>(RESOURCES.peers, key, { signal });
  if (peer === undefined) return;
  const known = new Set(certificatesOf(parsePeerSpec(peer).trustBundle));
  if (certificatesOf(consumer.trustBundle).some((certificate) => known.has(certificate))) return;
  throw new CliError(
    `context ${contextName}: Peer ${key.namespace}/${key.name} trusts another certificate authority than that of cluster ${consumer.clusterName}: another cluster of that name is joined, or ${consumer.clusterName} was installed anew`,
    {
      fix: `if that cluster is gone: kubectl --context ${contextName} -n ${key.namespace} delete peer ${key.name}; else install one of the two under another --cluster-name`,
    },
  );
}

function certificatesOf(bundle: string): string[] {
  const blocks = bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => block.replaceAll(/\s+/g, ""));
}

/**
 * How the provider's API server is reached from the consumer's pods.
 * @throws CliError when it cannot be.
 */
export async function endpointOf(
  { provider, server: flag, serverFlag }: Pick<Direction, "provider" | "server" | "serverFlag">,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<ProviderEndpoint> {
  const server = flag ?? provider.server;
  if (!URL.canParse(server) || new URL(server).protocol !== "https:") {
    throw new CliError(`the API server's URL ${server} is not of the form https://host:port`, {
      fix: `give the URL by which the other cluster's pods reach it with ${serverFlag}`,
      exitCode: EXIT_CODES.usage,
    });
  }
  if (isLoopback(new URL(server).hostname)) {
    const problem = `the API server of context ${provider.contextName} is at ${server}, which means another machine to every pod`;
    if (flag === undefined) {
      throw new CliError(problem, {
        fix: `give the URL by which the other cluster's pods reach it with ${serverFlag}`,
      });
    }
    reporter.warn(`${problem}; used since ${serverFlag} says so`);
  }
  const { tlsServerName } = provider;
  const caPem = provider.insecure ? await publishedCa(provider, signal) : provider.caPem;
  return { server, caPem, tlsServerName };
}

function isLoopback(hostname: string): boolean {
  const address = hostname.replaceAll(/[[\]]/g, "");
  if (address === "localhost" || address.endsWith(".localhost")) return true;
  return isIP(address) === 4 ? address.startsWith("127.") : address === "::1";
}

/** Every namespace holds the cluster's CA in this ConfigMap; links never skip verification. */
async function publishedCa(
  { client, contextName }: ClusterAccess,
  signal: AbortSignal,
): Promise<string> {
  const key = { namespace: INSTALL_NAMESPACE, name: "kube-root-ca.crt" };
  const configMap = await client.find<ConfigMap>(RESOURCES.configMaps, key, { signal });
  const caPem = configMap?.data?.["ca.crt"];
  if (caPem !== undefined) return caPem;
  throw new CliError(
    `context ${contextName} skips TLS verification and the cluster publishes no CA in ConfigMap ${key.namespace}/${key.name}`,
    { fix: "set certificate-authority-data of that cluster in the kubeconfig" },
  );
}

/** What the flags say of the provider's gateway, and for the rest what the cluster says of it. */
async function gatewayOf(
  { provider, gateway: { addresses, port } }: Direction,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<GatewayEndpoint> {
  if (addresses !== undefined) return { addresses, port };
  const found = await findGateway(provider, signal);
  if (found.addresses.length === 0) {
    reporter.warn(
      `context ${provider.contextName}: Service ${INSTALL_NAMESPACE}/${GATEWAY_NAME} has no load balancer address yet; without a load balancer, name one with --gateway-address`,
    );
  }
  const endpoint = endpointForLink(found);
  return { ...endpoint, port: port ?? endpoint.port };
}
