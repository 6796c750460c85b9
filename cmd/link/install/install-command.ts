import { Command } from "commander";
import { CliError, EXIT_CODES } from "../cli-error.ts";
import { openCluster } from "../cluster-access.ts";
import { addExamples } from "../examples.ts";
import { addClusterFlags, parseClusterName, timeoutFlag } from "../flags.ts";
import type { Runtime } from "../runtime.ts";
import { requireClusterName } from "./cluster-name.ts";
import { install } from "./install.ts";
import { addInstallationFlags, type InstallationFlags } from "./installation-flags.ts";
import { renderManifests } from "./manifests.ts";
import { toYamlStream } from "./print-manifests.ts";

interface Flags extends InstallationFlags {
  context?: string;
  kubeconfig?: string;
  clusterName?: string;
  preflight: boolean;
  timeout: number;
}

/** `link install`. */
export function installCommand(runtime: Runtime): Command {
  const command = new Command("install")
    .summary("install Isthmus in a cluster")
    .description(
      "Looks whether the cluster can take it, applies the manifests of controller and gateways, and waits until they run. Giving it again changes nothing that is as it should be, and puts back what others changed. Interrupted with Ctrl-C, a first installation is taken back.",
    );
  addExamples(command, [
    ["link install --context west", "Install into west and wait until it runs"],
    [
      "link install --context west --components nodeport",
      "For a cluster without load balancers: reach the gateway at a port of each node",
    ],
    [
      "link install --context west -o yaml | kubectl apply --server-side -f -",
      "Let kubectl apply it, or keep it in Git",
    ],
  ]);
  addClusterFlags(command, "context of the cluster; default: the current one").option(
    "--cluster-name <name>",
    "name of the cluster among its peers; default: the context's name made a DNS label",
    parseClusterName,
  );
  return addInstallationFlags(command, "that of the manifests")
    .option(
      "--no-preflight",
      "do not look first whether the cluster can take it (link check --pre)",
    )
    .addOption(timeoutFlag("120s"))
    .action(async (flags: Flags) => {
      if (flags.output === "yaml") return await printManifests(flags, runtime);
      const access = openCluster(flags);
      try {
        const { timeout: timeoutMs, ...choices } = flags;
        await install({ access, ...choices, timeoutMs, ...runtime });
      } finally {
        await access.client.close();
      }
    });
}

/** Needs no cluster, and no kubeconfig either when the name is given. */
async function printManifests(flags: Flags, runtime: Runtime): Promise<void> {
  const clusterName = flags.clusterName ?? (await nameOfContext(flags));
  const manifests = await renderManifests({ ...flags, clusterName });
  runtime.write(toYamlStream(manifests.map(({ object }) => object)));
}

async function nameOfContext(flags: Flags): Promise<string> {
  try {
    const access = openCluster(flags);
    await access.client.close();
    return requireClusterName(undefined, access.contextName);
  } catch (error) {
    throw new CliError("the cluster needs a name and no context of a kubeconfig gives one", {
      fix: "name it with --cluster-name",
      exitCode: EXIT_CODES.usage,
      cause: error,
    });
  }
}
