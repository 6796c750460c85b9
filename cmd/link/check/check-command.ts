import { Command, Option } from "commander";
import { CliError } from "../cli-error.ts";
import { openCluster } from "../cluster-access.ts";
import { addExamples } from "../examples.ts";
import { addClusterFlags, timeoutFlag } from "../flags.ts";
import type { Runtime } from "../runtime.ts";
import { preChecks, runChecks } from "./check.ts";
import { formatChecks } from "./check-table.ts";
import { formatJunit } from "./junit.ts";
import { type CheckReport, CHECKS } from "./report.ts";

const FORMATS = ["table", "json", "junit"] as const;

interface Flags {
  context?: string;
  kubeconfig?: string;
  providerContext?: string;
  providerKubeconfig?: string;
  pre: boolean;
  probe: boolean;
  output: (typeof FORMATS)[number];
  timeout: number;
}

const RESULTS = `
Results:
  ok    as it should be
  warn  it works, and something should be looked at
  fail  it does not work, or will not; the exit code is 1
  skip  not looked at, so nothing is known; the message says why`;

const JSON_SHAPE = `
With -o json:
  {checks: [{id, title, about, result, message, fix?, docs}], summary: {ok, warn, fail, skip}}
  id is stable, docs names the section about it.`;

/** `link check`. */
export function checkCommand(runtime: Runtime): Command {
  const ids = Object.entries(CHECKS).map(([id, title]) => `  ${id.padEnd(18)} ${title}`);
  const command = new Command("check")
    .summary("find what is wrong, before and after installing")
    .description(
      "Looks at a cluster and its Links, says for each check what was seen, and what mends it. With --pre only at what an installation needs, and writes nothing. Otherwise it looks from inside the cluster, too: short-lived pods of the product's image in isthmus-system, and with --provider-context a Service in a namespace of its own at both ends; all of that is removed again, whatever happens. It asks for tokens of the product's ServiceAccounts, each good for 10 minutes, to try their rights as themselves.",
    )
    .argument("[link...]", "only these Links");
  addExamples(command, [
    ["link check --pre --context east", "Before installing"],
    ["link check --context east --provider-context west", "Everything, from both ends"],
    ["link check west --no-probe -o json", "Without any pod, for a program"],
  ]);
  return addClusterFlags(command, "context of the cluster; default: the current one")
    .option("--provider-context <name>", "context of the provider, to look at both ends")
    .option("--provider-kubeconfig <file>", "kubeconfig with the provider's context, if another")
    .option("--pre", "only what an installation needs", false)
    .option("--no-probe", "start no pods: what they would see is skipped")
    .addOption(
      new Option("-o, --output <format>", "how to print it").choices(FORMATS).default("table"),
    )
    .addOption(timeoutFlag("60s"))
    .addHelpText("after", [`\nChecks:\n${ids.join("\n")}`, RESULTS, JSON_SHAPE].join("\n"))
    .action(async (linkNames: string[], flags: Flags) => {
      const access = openCluster(flags);
      const provider =
        flags.providerContext === undefined
          ? undefined
          : openCluster({
              context: flags.providerContext,
              kubeconfig: flags.providerKubeconfig ?? flags.kubeconfig,
            });
      const { reporter, clock, signal } = runtime;
      const looking = { access, reporter, clock, signal };
      try {
        const report = flags.pre
          ? await preChecks(looking)
          : await runChecks({
              ...looking,
              provider,
              linkNames,
              probe: flags.probe,
              timeoutMs: flags.timeout,
            });
        runtime.write(render(report, flags.output, runtime.useColor));
        assertNoneFailed(report);
      } finally {
        await access.client.close();
        await provider?.client.close();
      }
    });
}

/** @throws CliError naming the checks that failed. */
function assertNoneFailed({ checks, summary }: CheckReport): void {
  if (summary.fail === 0) return;
  const ids = checks.filter(({ result }) => result === "fail").map(({ id }) => id);
  throw new CliError(
    `${summary.fail} of ${checks.length} checks failed: ${[...new Set(ids)].join(", ")}`,
    { fix: "each is mended as said above; docs/troubleshooting.md has more" },
  );
}

function render(report: CheckReport, format: Flags["output"], useColor: boolean): string {
  if (format === "json") return `${JSON.stringify(report, null, 2)}\n`;
  return format === "junit" ? formatJunit(report) : formatChecks(report, useColor);
}
