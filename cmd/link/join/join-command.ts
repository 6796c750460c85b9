import { Command } from "commander";
import { openCluster } from "../cluster-access.ts";
import { addClusterFlags, parseClusterName, parseItems, parsePort, timeoutFlag } from "../flags.ts";
import type { Runtime } from "../runtime.ts";
import { join } from "./join.ts";

interface Flags {
  context?: string;
  kubeconfig?: string;
  providerKubeconfig?: string;
  server?: string;
  consumerServer?: string;
  name?: string;
  gatewayAddress?: string[];
  gatewayPort?: number;
  mutual: boolean;
  wait: boolean;
  timeout: number;
}

/** `link join`. */
export function joinCommand(runtime: Runtime): Command {
  const command = new Command("join")
    .summary("link this cluster to a provider whose Services it is to use")
    .description(
      "Links the consumer (--context) to the provider: an account with few rights there, its credentials and a Link here. Waits until the Link is Ready. A join that fails takes back what it made; joining again updates in place.",
    )
    .argument("<provider-context>", "context of the cluster that exports Services");
  return addClusterFlags(command, "context of the consumer; default: the current one")
    .option("--provider-kubeconfig <file>", "kubeconfig with the provider's context, if another")
    .option(
      "--name <link>",
      "name of the Link; default: the provider's cluster name",
      parseClusterName,
    )
    .option("--server <url>", "URL by which the consumer's pods reach the provider's API server")
    .option(
      "--gateway-address <list>",
      "addresses of the provider's gateway; default: those of its Service",
      parseItems,
    )
    .option("--gateway-port <port>", "port of the provider's gateway", parsePort)
    .option("--mutual", "also link the provider to the consumer", false)
    .option(
      "--consumer-server <url>",
      "with --mutual: URL by which the provider's pods reach the consumer's API server",
    )
    .option("--no-wait", "do not wait until the Link is Ready")
    .addOption(timeoutFlag("60s"))
    .addHelpText(
      "after",
      "\nExamples:\n  link join west --context east\n  link join kind-west --context kind-east --server https://west-control-plane:6443 --mutual --consumer-server https://east-control-plane:6443",
    )
    .action(async (providerContext: string, flags: Flags) => {
      const consumer = openCluster(flags);
      const provider = openCluster({
        kubeconfig: flags.providerKubeconfig ?? flags.kubeconfig,
        context: providerContext,
      });
      try {
        await join({
          provider,
          consumer,
          linkName: flags.name,
          server: flags.server,
          consumerServer: flags.consumerServer,
          gateway: { addresses: flags.gatewayAddress, port: flags.gatewayPort },
          mutual: flags.mutual,
          wait: flags.wait,
          timeoutMs: flags.timeout,
          ...runtime,
        });
      } finally {
        await Promise.all([consumer.client.close(), provider.client.close()]);
      }
    });
}
