import { Command } from "commander";
import { openCluster } from "../cluster-access.ts";
import { addClusterFlags, timeoutFlag } from "../flags.ts";
import type { Runtime } from "../runtime.ts";
import { unjoin } from "./unjoin.ts";

interface Flags {
  context?: string;
  kubeconfig?: string;
  providerContext?: string;
  providerKubeconfig?: string;
  timeout: number;
}

/** `link unjoin`. */
export function unjoinCommand(runtime: Runtime): Command {
  const command = new Command("unjoin")
    .summary("remove a Link with its mirrors and credentials")
    .description(
      "Removes a Link, its mirrors and its credentials here, and with --provider-context the account and the Peer there. Works when the provider is gone. Given again after a failure it carries on.",
    )
    .argument("<link>", "name of the Link");
  return addClusterFlags(command, "context of the consumer; default: the current one")
    .option("--provider-context <name>", "context of the provider, to clean up there as well")
    .option("--provider-kubeconfig <file>", "kubeconfig with the provider's context, if another")
    .addOption(timeoutFlag("60s"))
    .addHelpText("after", "\nExample:\n  link unjoin west --context east --provider-context west")
    .action(async (linkName: string, flags: Flags) => {
      const access = openCluster(flags);
      const provider =
        flags.providerContext === undefined
          ? undefined
          : openCluster({
              kubeconfig: flags.providerKubeconfig ?? flags.kubeconfig,
              context: flags.providerContext,
            });
      try {
        await unjoin({ access, linkName, provider, timeoutMs: flags.timeout, ...runtime });
      } finally {
        await Promise.all([access.client.close(), provider?.client.close()]);
      }
    });
}
