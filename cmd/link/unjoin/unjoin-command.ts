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
  force?: boolean;
  timeout: number;
}

/** `link unjoin`. */
export function unjoinCommand(runtime: Runtime): Command {
  const command = new Command("unjoin")
    .summary("remove a Link with its mirrors and credentials")
    .description(
      "Removes a Link, its mirrors and its credentials here, and with --provider-context the account and the Peer there. Works when the provider is gone: without --provider-context nothing is asked of it, and what is left there is told. The mirrors are removed by the controller; with --force by this command, which also takes the Link's finalizer away, for when no controller runs. A mirror that a finalizer of others keeps is named, and not waited for. Given again after a failure it carries on.",
    )
    .argument("<link>", "name of the Link");
  return addClusterFlags(command, "context of the consumer; default: the current one")
    .option("--provider-context <name>", "context of the provider, to clean up there as well")
    .option("--provider-kubeconfig <file>", "kubeconfig with the provider's context, if another")
    .option("--force", "remove the mirrors and the Link without the controller")
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
        const { force = false, timeout: timeoutMs } = flags;
        await unjoin({ access, linkName, provider, force, timeoutMs, ...runtime });
      } finally {
        await Promise.all([access.client.close(), provider?.client.close()]);
      }
    });
}
