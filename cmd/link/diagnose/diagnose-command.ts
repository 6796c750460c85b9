import path from "node:path";
import { Command } from "commander";
import { openCluster } from "../cluster-access.ts";
import { parseDurationMs } from "../duration.ts";
import { addExamples } from "../examples.ts";
import { addClusterFlags } from "../flags.ts";
import type { Runtime } from "../runtime.ts";
import { writeWhole } from "./archive.ts";
import { fileName, gather } from "./gather.ts";

interface Flags {
  context?: string;
  kubeconfig?: string;
  output?: string;
  since: number;
}

const CONTENT = `
In the archive:
  index.yaml   what was gathered, when, and what could not be read
  objects/     Links, Peers, mirrors, EndpointSlices, our Deployments, pods, roles, ConfigMaps and
               CustomResourceDefinitions; of Secrets the keys and the lengths of their values; of nodes
               the versions and conditions; Events
  logs/        of each container of isthmus-system, the current and the one before it
  metrics/     of each pod of the controller and of the gateways
  views/       what link status, services, gateways, failover and check show

Left out: the values of the Secrets of isthmus-system, wherever they occur, as they are, in base64 and in pieces of 12 characters; private keys, tokens, passwords and bearer headers by their form; annotations and variables that are not of Isthmus. Certificates are replaced by what they say. Look into the archive before you give it away: names of Services, namespaces and clusters and addresses are in it.`;

/** `link diagnose`. */
export function diagnoseCommand(runtime: Runtime): Command {
  return new Command("diagnose")
    .summary("gather what others need to find a fault")
    .description("Gathers what others need to find a fault.")
    .addCommand(gatherCommand(runtime));
}

function gatherCommand(runtime: Runtime): Command {
  const command = new Command("gather")
    .summary("write objects, Events, logs and metrics to a tar.gz, without secrets")
    .description(
      "Writes objects, Events, logs, metrics and the output of the other commands to a tar.gz, without secrets. Nothing is written to the cluster. It needs the right to read all of it, the Secrets of isthmus-system too: what is in them is what is left out.",
    );
  addClusterFlags(command, "context of the cluster; default: the current one")
    .option("--output <file>", "file to write; default: isthmus-diagnose-CONTEXT.tar.gz")
    .option("--since <duration>", "logs and Events of this time", parseDurationMs, 3_600_000)
    .addHelpText("after", CONTENT)
    .action(async (flags: Flags) => {
      const access = openCluster(flags);
      const { reporter, clock, signal } = runtime;
      try {
        const gathered = await gather({ access, sinceMs: flags.since, reporter, clock, signal });
        const name = flags.output ?? `isthmus-diagnose-${fileName(access.contextName)}.tar.gz`;
        signal.throwIfAborted();
        await writeWhole(path.resolve(name), gathered.archive);
        for (const gap of gathered.gaps) reporter.warn(`not read: ${gap}`);
        const kilobytes = Math.ceil(gathered.archive.length / 1024);
        reporter.done(`${gathered.files.length} files, ${kilobytes} KiB`);
        runtime.write(`${name}\n`);
      } finally {
        await access.client.close();
      }
    });
  return addExamples(command, [
    ["link diagnose gather --context east", "Of the last hour"],
    ["link diagnose gather --since 24h --output fault.tar.gz", "Of the last day"],
  ]);
}
