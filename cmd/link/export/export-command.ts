import { Command } from "commander";
import { openCluster } from "../cluster-access.ts";
import { addExamples } from "../examples.ts";
import {
  addClusterFlags,
  addNamespaceFlag,
  parseClusterName,
  parseItems,
  parseService,
} from "../flags.ts";
import type { Runtime } from "../runtime.ts";
import { exportService, type ServiceTarget, unexportService } from "./export.ts";

interface TargetFlags {
  context?: string;
  kubeconfig?: string;
  namespace?: string;
}

interface ExportFlags extends TargetFlags {
  to?: string[];
  ports?: string[];
}

/** `link export`. */
export function exportCommand(runtime: Runtime): Command {
  const command = targetCommand("export", "offer a Service to linked clusters")
    .description(
      "Offers a Service of the provider to its consumers, where it appears as a Service of their own. Giving it again replaces what was said before.",
    )
    .option("--to <list>", "consumers by cluster name; default: every joined one", (text) =>
      parseItems(text).map(parseClusterName),
    )
    .option("--ports <list>", "port names or numbers; default: every TCP port", parseItems)
    .action(async (name: string, flags: ExportFlags) => {
      await withTarget(name, flags, runtime, async (target) => {
        await exportService({ ...target, to: flags.to, ports: flags.ports });
      });
    });
  return addExamples(command, [
    ["link export svc/web -n shop --context west", "Offer a Service to every consumer of west"],
    [
      "link export svc/web -n shop --to east,north --ports http",
      "One port of it, to two consumers",
    ],
  ]);
}

/** `link unexport`. */
export function unexportCommand(runtime: Runtime): Command {
  const command = targetCommand("unexport", "take a Service back from linked clusters")
    .description("Takes the export of a Service back; its mirrors in the consumers are removed.")
    .action(async (name: string, flags: TargetFlags) => {
      await withTarget(name, flags, runtime, async (target) => {
        await unexportService(target);
      });
    });
  return addExamples(command, [
    ["link unexport svc/web -n shop --context west", "Take a Service of west back"],
  ]);
}

function targetCommand(name: string, summary: string): Command {
  const command = new Command(name)
    .summary(summary)
    .argument("<svc/NAME>", "the Service", parseService);
  addNamespaceFlag(command, "namespace of the Service; default: that of the context");
  return addClusterFlags(command, "context of the provider; default: the current one");
}

async function withTarget(
  name: string,
  flags: TargetFlags,
  { reporter, signal }: Runtime,
  action: (target: ServiceTarget) => Promise<void>,
): Promise<void> {
  const access = openCluster(flags);
  try {
    await action({
      access,
      namespace: flags.namespace ?? access.namespace,
      name,
      reporter,
      signal,
    });
  } finally {
    await access.client.close();
  }
}
