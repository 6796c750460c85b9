import { dropPackets, narrowPath } from "../../../test/bed/network-faults.ts";
import { gatewayAddress } from "../../../test/system/journey.ts";
import { type BeginFault, providerOf } from "./fault-context.ts";

const LOST_SHARE = 0.02;
/** What the run's requests need, about; so that packets queue and some are dropped, but not all. */
const NARROW = { kbitPerSecond: 256, maxPackets: 50 };

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

/** The consumer's kube-proxies end and are started again. */
export const proxyRestarted: BeginFault = async ({ consumer }) => {
  const { cluster } = consumer;
  const proxies = cluster.nodes.map(({ name }) => cluster.process("kube-proxy", name));
  for (const proxy of proxies) await proxy.stop();
  return async () => {
    for (const proxy of proxies) proxy.start();
    await Promise.resolve();
  };
};
