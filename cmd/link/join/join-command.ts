import { Command, InvalidArgumentError, Option } from "commander";
import { CliError, EXIT_CODES } from "../cli-error.ts";
import { type ClusterAccess, openCluster } from "../cluster-access.ts";
import { parseDurationMs } from "../duration.ts";
import { addExamples } from "../examples.ts";
import { addClusterFlags, parseClusterName, parseItems, parsePort, timeoutFlag } from "../flags.ts";
import type { Runtime } from "../runtime.ts";
import { join } from "./join.ts";
import { JOIN_PARTS, type JoinPart, renderJoin } from "./render-join.ts";
import { joinStream, writeJoin } from "./write-join.ts";

const MINUTE_MS = 60_000;
/** What every API server grants at least, and what none should be asked for. */
const TOKEN_LIFETIME_RANGE_MS = { min: 10 * MINUTE_MS, max: 48 * 60 * MINUTE_MS };

interface Flags {
  context?: string;
  kubeconfig?: string;
  providerKubeconfig?: string;
  server?: string;
  consumerServer?: string;
  name?: string;
  gatewayAddress?: string[];
  gatewayPort?: number;
  mutual: boolean;
  tokenLifetime?: number;
  output?: "yaml";
  show?: JoinPart;
  outputDir?: string;
  wait: boolean;
  timeout: number;
}

/** `link join`. */
export function joinCommand(runtime: Runtime): Command {
  const command = new Command("join")
    .summary("link this cluster to a provider whose Services it is to use")
    .description(
      "Links the consumer (--context) to the provider: an account with few rights there, its credentials and a Link here. Waits until the Link is Ready. A join that fails takes back what it made; joining again updates in place. With -o yaml or --output-dir nothing is applied: the same objects are printed as manifests, for each cluster apart, and the Secret apart from both.",
    )
    .argument("<provider-context>", "context of the cluster that exports Services");
  addExamples(command, [
    ["link join west --context east", "Let east use what west exports"],
    [
      "link join kind-west --context kind-east --server https://west-control-plane:6443 --mutual --consumer-server https://east-control-plane:6443",
      "Both ways, where pods reach the API servers by other names than this machine (kind)",
    ],
    ["link join west --context east --output-dir joins/east-west", "Keep the join in a repository"],
    [
      "link join west --context east -o yaml --show secret | kubeseal -o yaml > sealed.yaml",
      "Seal the credentials, once provider.yaml is applied",
    ],
  ]);
  return addClusterFlags(command, "context of the consumer; default: the current one")
    .option("--provider-kubeconfig <file>", "kubeconfig with the provider's context, if another")
    .option(
      "--name <link>",
      "name of the Link; default: the provider's cluster name",
      parseClusterName,
    )
    .option("--server <url>", "URL by which the consumer's pods reach the provider's API server")
    .option(
      "--gateway-address <list>",
      "addresses of the provider's gateway; default: those of its Service",
      parseItems,
    )
    .option("--gateway-port <port>", "port of the provider's gateway", parsePort)
    .option("--mutual", "also link the provider to the consumer", false)
    .option(
      "--consumer-server <url>",
      "with --mutual: URL by which the provider's pods reach the consumer's API server",
    )
    .option(
      "--token-lifetime <duration>",
      "how long the credentials' token lives, and those it is renewed by; default: 1h",
      parseTokenLifetimeMs,
    )
    .addOption(
      new Option("-o, --output <format>", "print the join as manifests, and apply nothing").choices(
        ["yaml"],
      ),
    )
    .addOption(
      new Option("--show <part>", "with -o yaml: print this part alone").choices(JOIN_PARTS),
    )
    .option(
      "--output-dir <folder>",
      "write provider.yaml, consumer.yaml and secret.yaml there, and apply nothing",
    )
    .option("--no-wait", "do not wait until the Link is Ready")
    .addOption(timeoutFlag("60s"))
    .action(async (providerContext: string, flags: Flags) => {
      checkFlags(flags);
      const consumer = openCluster(flags);
      const provider = openCluster({
        kubeconfig: flags.providerKubeconfig ?? flags.kubeconfig,
        context: providerContext,
      });
      try {
        if (flags.output !== undefined || flags.outputDir !== undefined) {
          await print(provider, consumer, flags, runtime);
          return;
        }
        await join({
          provider,
          consumer,
          linkName: flags.name,
          server: flags.server,
          consumerServer: flags.consumerServer,
          gateway: { addresses: flags.gatewayAddress, port: flags.gatewayPort },
          tokenLifetimeMs: flags.tokenLifetime,
          mutual: flags.mutual,
          wait: flags.wait,
          timeoutMs: flags.timeout,
          ...runtime,
        });
      } finally {
        await Promise.all([consumer.client.close(), provider.client.close()]);
      }
    });
}

async function print(
  provider: ClusterAccess,
  consumer: ClusterAccess,
  flags: Flags,
  runtime: Runtime,
): Promise<void> {
  const parts = flags.show === undefined ? JOIN_PARTS : [flags.show];
  const rendered = await renderJoin({
    direction: {
      provider,
      consumer,
      linkName: flags.name,
      server: flags.server,
      gateway: { addresses: flags.gatewayAddress, port: flags.gatewayPort },
      serverFlag: "--server",
    },
    parts,
    tokenLifetimeMs: flags.tokenLifetime,
    ...runtime,
  });
  if (flags.outputDir === undefined) runtime.write(joinStream(rendered, parts));
  else await writeJoin(rendered, { folder: flags.outputDir, parts, reporter: runtime.reporter });
}

function checkFlags({ output, outputDir, show, mutual }: Flags): void {
  const isPrinted = output !== undefined || outputDir !== undefined;
  const exitCode = EXIT_CODES.usage;
  if (isPrinted && mutual) {
    throw new CliError("manifests are made for one direction at a time", {
      fix: "leave out --mutual, and give the command again with the two contexts exchanged",
      exitCode,
    });
  }
  if (!isPrinted && show !== undefined) {
    throw new CliError("--show says what to print, and nothing is to be printed", {
      fix: "add -o yaml",
      exitCode,
    });
  }
}

function parseTokenLifetimeMs(text: string): number {
  const lifetimeMs = parseDurationMs(text);
  const { min, max } = TOKEN_LIFETIME_RANGE_MS;
  if (lifetimeMs >= min && lifetimeMs <= max) return lifetimeMs;
  throw new InvalidArgumentError("Use a duration from 10m to 48h.");
}
