import { Command } from "commander";
import { CliError, EXIT_CODES } from "../cli-error.ts";
import { type ClusterAccess, openCluster } from "../cluster-access.ts";
import { addExamples } from "../examples.ts";
import { addClusterFlags, parseClusterName, timeoutFlag } from "../flags.ts";
import type { Runtime } from "../runtime.ts";
import { unjoin } from "./unjoin.ts";
import { unjoinPeer } from "./unjoin-peer.ts";

interface Flags {
  context?: string;
  kubeconfig?: string;
  providerContext?: string;
  providerKubeconfig?: string;
  mutual: boolean;
  peer?: string;
  force: boolean;
  timeout: number;
}

/** `link unjoin`. */
export function unjoinCommand(runtime: Runtime): Command {
  const command = new Command("unjoin")
    .summary("remove a Link with its mirrors and credentials")
    .description(
      "Removes a Link, its mirrors and its credentials here, and with --provider-context the account and the Peer there. Works when the provider is gone: without --provider-context nothing is asked of it, and what is left there is told. The mirrors are removed by the controller; with --force by this command, which also takes the Link's finalizer away, for when no controller runs. A mirror that a finalizer of others keeps is named, and not waited for. With --peer instead of a Link it ends a join from the provider's side alone: the consumer is let in no more. Given again after a failure it carries on.",
    )
    .argument("[link]", "name of the Link; left out with --peer");
  addExamples(command, [
    [
      "link unjoin west --context east --provider-context west",
      "Remove the Link of east to west, and what the join made in west",
    ],
    [
      "link unjoin west --context east --provider-context west --mutual",
      "The same, and west's Link to east with what it made in east",
    ],
    [
      "link unjoin --peer east --context west",
      "Let east into west no more, asking nothing of east",
    ],
  ]);
  return addClusterFlags(
    command,
    "context of the consumer, with --peer of the provider; default: the current one",
  )
    .option("--provider-context <name>", "context of the provider, to clean up there as well")
    .option("--provider-kubeconfig <file>", "kubeconfig with the provider's context, if another")
    .option(
      "--mutual",
      "with --provider-context: also remove the provider's Link to this cluster",
      false,
    )
    .option(
      "--peer <cluster>",
      "cluster name of a consumer that is to be let in no more",
      parseClusterName,
    )
    .option("--force", "remove the mirrors and the Link without the controller", false)
    .addOption(timeoutFlag("60s"))
    .action(async (linkName: string | undefined, flags: Flags) => {
      checkFlags(linkName, flags);
      const access = openCluster(flags);
      let provider: ClusterAccess | undefined;
      try {
        const { peer: consumer, mutual, force, timeout: timeoutMs } = flags;
        if (linkName === undefined) {
          await unjoinPeer({ access, consumer: consumer ?? "", ...runtime });
          return;
        }
        provider = openProvider(flags);
        await unjoin({ access, linkName, provider, mutual, force, timeoutMs, ...runtime });
      } finally {
        await Promise.all([access.client.close(), provider?.client.close()]);
      }
    });
}

function openProvider(flags: Flags): ClusterAccess | undefined {
  const { providerContext: context, providerKubeconfig, kubeconfig } = flags;
  if (context === undefined) return undefined;
  return openCluster({ kubeconfig: providerKubeconfig ?? kubeconfig, context });
}

function checkFlags(linkName: string | undefined, flags: Flags): void {
  if (linkName === undefined && flags.peer === undefined) {
    throw usage(
      "neither a Link nor --peer says what to unjoin",
      "link unjoin LINK --context CONSUMER, or link unjoin --peer CLUSTER --context PROVIDER",
    );
  }
  if (linkName !== undefined && flags.peer !== undefined) {
    throw usage(
      `Link ${linkName} and --peer ${flags.peer} are two different things to remove`,
      "give one of them at a time",
    );
  }
  if (flags.peer !== undefined && (flags.mutual || flags.providerContext !== undefined)) {
    throw usage(
      "--peer removes what one provider holds, and asks no other cluster",
      "leave out --mutual and --provider-context, and name the provider with --context",
    );
  }
  if (flags.mutual && flags.providerContext === undefined) {
    throw usage("--mutual needs the other cluster", "name it with --provider-context");
  }
}

function usage(message: string, fix: string): CliError {
  return new CliError(message, { fix, exitCode: EXIT_CODES.usage });
}
