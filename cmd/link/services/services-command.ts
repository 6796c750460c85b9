import { Command, Option } from "commander";
import { openCluster } from "../cluster-access.ts";
import { addExamples } from "../examples.ts";
import { addClusterFlags, addNamespaceFlag } from "../flags.ts";
import { formatReport, outputFlag, type OutputFormat } from "../output.ts";
import type { Runtime } from "../runtime.ts";
import { readServices } from "./services.ts";
import { formatServices } from "./services-table.ts";

interface Flags {
  context?: string;
  kubeconfig?: string;
  namespace?: string;
  output: OutputFormat;
}

const JSON_SHAPE = `
With -o json or yaml:
  {cluster, exports: [{namespace, name, state, reason, message, ports: [{name, port}], toAll,
     consumers: [cluster], notJoined: [cluster], readyEndpoints?}],
   imports: [{namespace, name, link, source, ports: [{name, port}], state, reason, message}],
   skipped: [{link, source, reason, message, lastSeenAt}], notRead: [{what, why}]}
  consumers       clusters that may use it now; toAll: also those that join later
  notJoined       clusters that it is offered to and that are not joined
  readyEndpoints  of the Service here; without any its mirrors are closed
  source          CLUSTER/NAMESPACE/NAME of the Service that a mirror stands for`;

/** `link services`. */
export function servicesCommand(runtime: Runtime): Command {
  const command = new Command("services")
    .summary("show which Services this cluster exports to whom, and has of others")
    .description(
      "Shows both directions: the Services of this cluster that are exported, to which clusters, and how many of their endpoints are ready; the mirrors of Services of other clusters, open or closed and why; and what is exported to this cluster and skipped. Without -n the Services of all namespaces.",
    );
  addNamespaceFlag(command, "only Services of this namespace; default: of all").addOption(
    new Option("-A, --all-namespaces", "Services of all namespaces, as without -n").conflicts(
      "namespace",
    ),
  );
  addClusterFlags(command, "context of the cluster; default: the current one")
    .addOption(outputFlag())
    .addHelpText("after", JSON_SHAPE)
    .action(async (flags: Flags) => {
      const access = openCluster(flags);
      const { namespace } = flags;
      const { clock, signal, useColor } = runtime;
      try {
        const report = await readServices({ access, namespace, signal });
        const toTable = () => formatServices(report, { nowMs: clock.nowMs(), useColor, namespace });
        runtime.write(formatReport(report, flags.output, toTable));
      } finally {
        await access.client.close();
      }
    });
  return addExamples(command, [
    ["link services --context east", "All that east exports and has of others"],
    ["link services -n shop", "The Services of one namespace"],
    [
      "link services -o json | jq -r '.imports[] | select(.state != \"open\") | .source'",
      "Services of others that cannot be reached now",
    ],
  ]);
}
