import {
  type Consumer,
  type Identity,
  type Provider,
  type ProviderOptions,
  createIdentity,
  startConsumer,
  startProvider,
} from "./two-gateways.ts";

/** A consumer's gateway linked to a provider's; `port` is where the consumer's reaches the provider's `shop/web`. */
export interface LinkedGateways {
  readonly provider: Provider;
  readonly consumer: Consumer;
  readonly port: number;
}

export interface LinkedGatewaysOptions extends ProviderOptions {
  /** The provider; one of its own when absent. */
  west?: Identity;
  /** The consumer; one of its own when absent. */
  east?: Identity;
  /** Of the exported Service. */
  annotations?: Record<string, string>;
}

/** East linked to west, which exports `shop/web` from these ports of loopback; open, and ended with the test. */
export async function linkGateways(
  backends: readonly number[],
  options: LinkedGatewaysOptions = {},
): Promise<LinkedGateways> {
  const { annotations, ...providerOptions } = options;
  const west = options.west ?? (await createIdentity("west"));
  const east = options.east ?? (await createIdentity("east"));
  const provider = await startProvider(west, [east], providerOptions);
  provider.export("web", backends, annotations);
  const consumer = startConsumer(east);
  consumer.link(west, provider.port);
  const port = await consumer.mirror("west", "web");
  await consumer.untilOpen(port);
  return { provider, consumer, port };
}
