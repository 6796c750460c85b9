import { Command, Option } from "commander";
import { stringify } from "yaml";
import { CliError, EXIT_CODES } from "../cli-error.ts";
import { openCluster } from "../cluster-access.ts";
import { addClusterFlags, parseClusterName, parseCount, timeoutFlag } from "../flags.ts";
import type { Runtime } from "../runtime.ts";
import { install, requireClusterName } from "./install.ts";
import { renderManifests } from "./manifests.ts";

interface Flags {
  context?: string;
  kubeconfig?: string;
  clusterName?: string;
  image?: string;
  replicas?: number;
  dryRun: boolean;
  output?: "yaml";
  wait: boolean;
  timeout: number;
}

/** `link install`. */
export function installCommand(runtime: Runtime): Command {
  const command = new Command("install")
    .summary("install or upgrade Isthmus in a cluster")
    .description(
      "Applies the manifests of controller and gateways and waits until they run. Giving it again changes nothing that is as it should be.",
    );
  return addClusterFlags(command, "context of the cluster; default: the current one")
    .option(
      "--cluster-name <name>",
      "name of the cluster among its peers; default: the context's name made a DNS label",
      parseClusterName,
    )
    .option("--image <reference>", "image of controller and gateways")
    .option("--replicas <n>", "replicas of controller and of gateways", parseCount)
    .option("--dry-run", "only say what would be applied", false)
    .addOption(
      new Option("-o, --output <format>", "print the manifests and apply nothing").choices([
        "yaml",
      ]),
    )
    .option("--no-wait", "do not wait until everything runs")
    .addOption(timeoutFlag("120s"))
    .addHelpText(
      "after",
      "\nExamples:\n  link install --context west\n  link install --context west -o yaml | kubectl apply --server-side -f -",
    )
    .action(async (flags: Flags) => {
      if (flags.output === "yaml") return await printManifests(flags, runtime);
      const access = openCluster(flags);
      try {
        await install({
          access,
          clusterName: flags.clusterName,
          image: flags.image,
          replicas: flags.replicas,
          dryRun: flags.dryRun,
          wait: flags.wait,
          timeoutMs: flags.timeout,
          ...runtime,
        });
      } finally {
        await access.client.close();
      }
    });
}

/** Needs no cluster, and no kubeconfig either when the name is given. */
async function printManifests(flags: Flags, runtime: Runtime): Promise<void> {
  const manifests = await renderManifests({
    clusterName: flags.clusterName ?? (await nameOfContext(flags)),
    image: flags.image,
    replicas: flags.replicas,
  });
  const documents = manifests.map(({ object }) => stringify(object, { lineWidth: 100 }));
  runtime.write(documents.join("---\n"));
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
