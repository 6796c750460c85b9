import { poll } from "../../../test/bed/poll.ts";
import { dropPackets, narrowPath } from "../../../test/bed/network-faults.ts";
import { gatewayAddress } from "../../../test/system/journey.ts";
import { type BeginFault, providerOf } from "./fault-context.ts";

const LOST_SHARE = 0.02;
/** What the run's requests need, about; so that packets queue and some are dropped, but not all. */
const NARROW = { kbitPerSecond: 256, maxPackets: 50 };

const EMPTY_CHAIN = /chain endpoint-\S+ \{\s*\}/;
const PROXY_TIMEOUT_MS = 30_000;

/** No packet passes between the provider's gateway and other clusters, and nobody is told. */
export const blackHole: BeginFault = async (context, fault) =>
  dropPackets(context.system.bed, await gatewayAddress(providerOf(context, fault)));

/** Some packets to and from the provider's gateway are lost. */
export const packetLoss: BeginFault = async (context, fault) =>
  dropPackets(context.system.bed, await gatewayAddress(providerOf(context, fault)), LOST_SHARE);

/** Packets to and from the provider's gateway queue. */
export const narrowGateway: BeginFault = async (context, fault) => {
  const provider = providerOf(context, fault);
  const address = await gatewayAddress(provider);
  return narrowPath(context.system.bed, { cluster: provider.name, address, ...NARROW });
};

/**
 * The consumer's kube-proxies end and are started again; not in the second in which kube-proxy has emptied the chain of
 * an endpoint that went and has not yet deleted it. Ended then, kube-proxy 1.35 (mode nftables) was seen to leave the
 * chain empty when the endpoint was back: the Service stayed unreachable, which is no fault of ours.
 */
export const proxyRestarted: BeginFault = async ({ consumer }) => {
  const { cluster } = consumer;
  for (const node of cluster.nodes) {
    await poll(
      `kube-proxy of ${node.name} has no half-deleted endpoint`,
      async () => !EMPTY_CHAIN.test((await node.exec(["nft", "list", "ruleset"])).stdout),
      { timeoutMs: PROXY_TIMEOUT_MS },
    );
    await cluster.process("kube-proxy", node.name).stop();
  }
  return async () => {
    for (const { name } of cluster.nodes) cluster.process("kube-proxy", name).start();
    await Promise.resolve();
  };
};
