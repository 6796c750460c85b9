import { Command } from "commander";
import { openCluster } from "../cluster-access.ts";
import { addExamples } from "../examples.ts";
import { addClusterFlags, timeoutFlag } from "../flags.ts";
import type { Runtime } from "../runtime.ts";
import { uninstall } from "./uninstall.ts";

interface Flags {
  context?: string;
  kubeconfig?: string;
  force: boolean;
  dryRun: boolean;
  timeout: number;
}

/** `link uninstall`. */
export function uninstallCommand(runtime: Runtime): Command {
  const command = new Command("uninstall")
    .summary("remove Isthmus from a cluster")
    .description(
      "Removes controller and gateways, their rights, the definitions of Link and Peer, Events and the namespace, and waits until nothing is left. Refuses while the cluster is joined to others, unless --force. What others made is left; where that lies in the namespace of Isthmus, the namespace is left with it. Given again after a failure it carries on.",
    );
  addExamples(command, [
    ["link uninstall --context west --dry-run", "See what would be removed"],
    ["link uninstall --context west", "Remove it from a cluster that is joined to no other"],
    ["link uninstall --context west --force", "End all joins of the cluster, too"],
  ]);
  return addClusterFlags(command, "context of the cluster; default: the current one")
    .option("--force", "end the joins with other clusters, too", false)
    .option("--dry-run", "only say what would be removed", false)
    .addOption(timeoutFlag("180s"))
    .action(async (flags: Flags) => {
      const access = openCluster(flags);
      try {
        const { force, dryRun, timeout: timeoutMs } = flags;
        await uninstall({ access, force, dryRun, timeoutMs, ...runtime });
      } finally {
        await access.client.close();
      }
    });
}
