import { Command } from "commander";
import { openCluster } from "../cluster-access.ts";
import { addExamples } from "../examples.ts";
import { addClusterFlags, timeoutFlag } from "../flags.ts";
import { waitForLink } from "../join/link-ready.ts";
import { chooseLinks } from "../links.ts";
import { formatReport, outputFlag, type OutputFormat } from "../output.ts";
import type { Runtime } from "../runtime.ts";
import { readStatus } from "./status.ts";
import { formatStatus } from "./status-table.ts";

interface Flags {
  context?: string;
  kubeconfig?: string;
  output: OutputFormat;
  wait?: boolean;
  timeout: number;
}

const COLUMNS = `
Columns:
  OPEN, CLOSED  mirrors of the Link by state
  SKIPPED       Services that are exported to this cluster and have no mirror
  LATENCY       median of the controller's probes of the remote gateway since it leads
  TOKEN         how long until the token of the Link's credentials expires; it is renewed long before
  CA            how long until the last CA in the Link's trust bundle expires
  SINCE         how long a condition has had its status

LATENCY, TOKEN and the cluster's own certificates come from the metrics of the controller, read through the API server; that needs the right to get pods/proxy in isthmus-system. What could not be read is said at the end.`;

const JSON_SHAPE = `
With -o json or yaml:
  {cluster, links: [{name, cluster, ready, reason, message, mirrored, skipped, open, closed, createdAt,
     gateway: [address], latencyMs?, addresses: [{address, up, latencyMs?}], tokenExpiresAt?, trustExpiresAt?,
     conditions: [{type, status, reason, message, observedGeneration, lastTransitionTime}]}],
   mirrors: [{link, source, mirror, state, reason, message}],
   skipped: [{link, source, reason, message, lastSeenAt}],
   peers: [{name, createdAt}], certificates: [{name, expiresAt}], notRead: [{what, why}]}
  A field with ? is absent when its value is not known. Times are RFC 3339.`;

/** `link status`. */
export function statusCommand(runtime: Runtime): Command {
  const command = new Command("status")
    .summary("show links, mirrors and what is skipped")
    .description(
      "Shows the links of a cluster with their conditions, latency and what expires when, the mirrors with their state, the exported Services that are skipped and why, the clusters that may call this one, and this cluster's own certificates.",
    )
    .argument("[link]", "only this Link");
  addClusterFlags(command, "context of the cluster; default: the current one")
    .addOption(outputFlag())
    .option("--wait", "wait until every Link shown is Ready; exit code 3 if one is not in time")
    .addOption(timeoutFlag("60s"))
    .addHelpText("after", [COLUMNS, JSON_SHAPE].join("\n"))
    .action(async (linkName: string | undefined, flags: Flags) => {
      const access = openCluster(flags);
      const { reporter, clock, signal } = runtime;
      try {
        if (flags.wait === true) {
          for (const { metadata } of await chooseLinks(access, linkName, signal)) {
            const { name } = metadata;
            const timeoutMs = flags.timeout;
            await waitForLink({ access, linkName: name, timeoutMs, reporter, clock, signal });
          }
        }
        const report = await readStatus({ access, linkName, signal });
        const toTable = () => formatStatus(report, clock.nowMs(), runtime.useColor);
        runtime.write(formatReport(report, flags.output, toTable));
      } finally {
        await access.client.close();
      }
    });
  return addExamples(command, [
    ["link status --context east", "All that east uses of others, and who may use its exports"],
    ["link status west --wait --timeout 30s", "Wait until one Link is Ready"],
    [
      "link status -o json | jq -r '.links[] | select(.ready != \"True\") | .name'",
      "Links that are not Ready",
    ],
  ]);
}
