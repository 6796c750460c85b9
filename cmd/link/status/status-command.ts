import { Command, Option } from "commander";
import { stringify } from "yaml";
import { openCluster } from "../cluster-access.ts";
import { addClusterFlags, timeoutFlag } from "../flags.ts";
import { waitForLink } from "../join/link-ready.ts";
import type { Runtime } from "../runtime.ts";
import type { StatusReport } from "./report.ts";
import { readStatus } from "./status.ts";
import { formatStatus } from "./status-table.ts";

const FORMATS = ["table", "json", "yaml"] as const;

interface Flags {
  context?: string;
  kubeconfig?: string;
  output: (typeof FORMATS)[number];
  wait: boolean;
  timeout: number;
}

/** `link status`. */
export function statusCommand(runtime: Runtime): Command {
  const command = new Command("status")
    .summary("show links, mirrors and what is skipped")
    .description(
      "Shows the links of a cluster with every condition that is not True, its mirrors with their state, the exported Services that are skipped and why, and the clusters that may call this one.",
    )
    .argument("[link]", "only this Link");
  return addClusterFlags(command, "context of the cluster; default: the current one")
    .addOption(
      new Option("-o, --output <format>", "how to print it").choices(FORMATS).default("table"),
    )
    .option(
      "--wait",
      "wait until every Link shown is Ready; exit code 3 if one is not in time",
      false,
    )
    .addOption(timeoutFlag("60s"))
    .addHelpText(
      "after",
      "\nExamples:\n  link status --context east\n  link status west --wait -o json",
    )
    .action(async (linkName: string | undefined, flags: Flags) => {
      const access = openCluster(flags);
      const { reporter, clock, signal } = runtime;
      try {
        let report = await readStatus({ access, linkName, signal });
        if (flags.wait) {
          for (const { name } of report.links) {
            const timeoutMs = flags.timeout;
            await waitForLink({ access, linkName: name, timeoutMs, reporter, clock, signal });
          }
          report = await readStatus({ access, linkName, signal });
        }
        runtime.write(render(report, flags.output, runtime));
      } finally {
        await access.client.close();
      }
    });
}

function render(report: StatusReport, format: Flags["output"], runtime: Runtime): string {
  if (format === "json") return `${JSON.stringify(report, null, 2)}\n`;
  if (format === "yaml") return stringify(report);
  return formatStatus(report, runtime.clock.nowMs(), runtime.useColor);
}
