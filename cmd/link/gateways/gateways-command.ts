import { Command } from "commander";
import { openCluster } from "../cluster-access.ts";
import { addExamples } from "../examples.ts";
import { addClusterFlags } from "../flags.ts";
import { formatReport, outputFlag, type OutputFormat } from "../output.ts";
import type { Runtime } from "../runtime.ts";
import { readGateways } from "./gateways.ts";
import { formatGateways } from "./gateways-table.ts";

interface Flags {
  context?: string;
  kubeconfig?: string;
  output: OutputFormat;
}

const COLUMNS = `
Columns:
  STATE           up: a session lives; connecting; down: none does, and the next attempt waits
  RTT, RTT P99    median and 99th percentile of the round trips of PINGs since the pod began
  STREAMS         connections carried now
  SENT, RECEIVED  bytes that left and entered this cluster since the pod began; to an address with
                  all that HTTP/2 adds, as of the last PING; of a consumer payload, counted when a
                  connection ends
  CERTIFICATE     how long until the gateway's certificate expires; it is renewed long before

All of it comes from the gateways' metrics, read through the API server; that needs the right to get pods/proxy in isthmus-system. What could not be read is said at the end.`;

const JSON_SHAPE = `
With -o json or yaml:
  {cluster, addresses: [{link, address, pod, state, sessions, rttMs?, rttP99Ms?, streams?, sentBytes?,
     receivedBytes?}],
   consumers: [{consumer, pod, sessions, streams?, sentBytes?, receivedBytes?}],
   gateways: [{pod, node, ready, draining, certificateExpiresAt?}], notRead: [{what, why}]}
  A field with ? is absent when its value is not known.`;

/** `link gateways`. */
export function gatewaysCommand(runtime: Runtime): Command {
  const command = new Command("gateways")
    .summary("show the gateways' sessions: round trips, streams and bytes")
    .description(
      "Shows what the gateways of a cluster have to do with others: for each address of a remote gateway and each gateway pod here the state of its sessions, round trips, streams and bytes; the same for each consumer that calls this cluster; and the gateway pods themselves.",
    )
    .argument("[link]", "only the addresses of this Link");
  addClusterFlags(command, "context of the cluster; default: the current one")
    .addOption(outputFlag())
    .addHelpText("after", [COLUMNS, JSON_SHAPE].join("\n"))
    .action(async (linkName: string | undefined, flags: Flags) => {
      const access = openCluster(flags);
      const { clock, signal, useColor } = runtime;
      try {
        const report = await readGateways({ access, linkName, signal });
        const toTable = () => formatGateways(report, clock.nowMs(), useColor);
        runtime.write(formatReport(report, flags.output, toTable));
      } finally {
        await access.client.close();
      }
    });
  return addExamples(command, [
    ["link gateways --context east", "All sessions of the gateways of east"],
    ["link gateways west", "Those to one provider"],
    [
      "link gateways -o json | jq '.addresses[] | select(.state != \"up\")'",
      "Addresses that cannot be reached from some gateway",
    ],
  ]);
}
