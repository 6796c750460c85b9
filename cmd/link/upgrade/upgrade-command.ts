import { Command } from "commander";
import { CliError, EXIT_CODES } from "../cli-error.ts";
import { openCluster } from "../cluster-access.ts";
import { addExamples } from "../examples.ts";
import { addClusterFlags, timeoutFlag } from "../flags.ts";
import { addInstallationFlags, type InstallationFlags } from "../install/installation-flags.ts";
import { toYamlStream } from "../install/print-manifests.ts";
import type { Runtime } from "../runtime.ts";
import { lookAhead, upgrade } from "./upgrade.ts";

interface Flags extends InstallationFlags {
  context?: string;
  kubeconfig?: string;
  allNamespaces: boolean;
  force: boolean;
  timeout: number;
}

/** `link upgrade`. */
export function upgradeCommand(runtime: Runtime): Command {
  const command = new Command("upgrade")
    .summary("bring an installation to this version, or change it")
    .description(
      "Brings an installed Isthmus to the version of this program and waits until it runs. The cluster's name, the replicas, the components and the namespaces stay what they are, unless told otherwise; what the manifests have no more is removed. Open connections live on: gateways drain. Given again after a failure it carries on.",
    );
  addExamples(command, [
    ["link upgrade --context west --dry-run", "See what an upgrade would change"],
    ["link upgrade --context west", "Bring west to the version of this program"],
    [
      "link upgrade --context west --components nodeport",
      "Reach the gateway at a port of each node",
    ],
    [
      "link upgrade --context west --components none",
      "Go back to an installation without components",
    ],
  ]);
  addClusterFlags(command, "context of the cluster; default: the current one");
  return addInstallationFlags(command, "as it is installed")
    .option("--all-namespaces", "work in all namespaces again", false)
    .option("--force", "also go back to a version before the installed one", false)
    .addOption(timeoutFlag("180s"))
    .action(async (flags: Flags) => {
      const namespaces = namespacesOf(flags);
      const access = openCluster(flags);
      try {
        const { image, replicas, components, force, dryRun, wait, timeout: timeoutMs } = flags;
        const wishes = { image, replicas, components, namespaces, force };
        if (flags.output === "yaml") {
          const { manifests } = await lookAhead({ access, signal: runtime.signal, ...wishes });
          runtime.write(toYamlStream(manifests.map(({ object }) => object)));
          return;
        }
        await upgrade({ access, ...wishes, dryRun, wait, timeoutMs, ...runtime });
      } finally {
        await access.client.close();
      }
    });
}

function namespacesOf({ namespaces, allNamespaces }: Flags): readonly string[] | undefined {
  if (!allNamespaces) return namespaces;
  if (namespaces === undefined) return [];
  throw new CliError("--namespaces and --all-namespaces contradict each other", {
    fix: "give one of them",
    exitCode: EXIT_CODES.usage,
  });
}
