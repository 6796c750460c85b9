import { randomBytes } from "node:crypto";
import { Command, InvalidArgumentError } from "commander";
import { type ClusterAccess, openCluster } from "../cluster-access.ts";
import { parseDurationMs } from "../duration.ts";
import { addExamples } from "../examples.ts";
import {
  addClusterFlags,
  parseClusterName,
  parseCount,
  parseItems,
  parsePort,
  timeoutFlag,
} from "../flags.ts";
import { formatReport, type OutputFormat, outputFlag } from "../output.ts";
import type { Runtime } from "../runtime.ts";
import { issueToken } from "./issue.ts";
import { formatTokens, tokensReport } from "./list.ts";
import { sweepTokens, tellGateways } from "./pending-tokens.ts";
import { redeemToken } from "./redeem.ts";
import { revokeToken } from "./revoke.ts";
import { formatToken, parseToken, readTokenText, writeSecretFile } from "./token-document.ts";

interface ClusterFlags {
  context?: string;
  kubeconfig?: string;
}

const MAX_EXPIRES_MS = 24 * 3_600_000;
const MIN_EXPIRES_MS = 10_000;
const DEFAULT_EXPIRES = "15m";

/** `link token`. */
export function tokenCommand(runtime: Runtime): Command {
  return new Command("token")
    .summary("join by a token, where the two clusters have different administrators")
    .description(
      "Joins clusters whose administrators have no access to each other's: the provider's issues a token, the consumer's redeems it. It is exchanged over TLS at the provider's gateway, for credentials and the Peer.",
    )
    .addCommand(issueCommand(runtime))
    .addCommand(redeemCommand(runtime))
    .addCommand(listCommand(runtime))
    .addCommand(revokeCommand(runtime));
}

interface IssueFlags extends ClusterFlags {
  consumer: string;
  uses: number;
  expires: number;
  server?: string;
  gatewayAddress?: string[];
  gatewayPort?: number;
  output?: string;
}

function issueCommand(runtime: Runtime): Command {
  const command = new Command("issue")
    .summary("make a token by which one consumer may join this cluster")
    .description(
      "Makes a token for one consumer, of limited use and time, and prints it: a secret. Makes the consumer's account with its rights, too. A token that is pending for the same consumer becomes void.",
    )
    .requiredOption(
      "--consumer <cluster>",
      "cluster name of the consumer that may use it",
      parseClusterName,
    )
    .option("--uses <count>", "how often it may be used", parseCount, 1)
    .option(
      "--expires <duration>",
      `how long it may be used, such as 15m or 2h; 24h at most (default: ${DEFAULT_EXPIRES})`,
      parseExpires,
      parseDurationMs(DEFAULT_EXPIRES),
    )
    .option("--server <url>", "URL by which the consumer's pods reach this cluster's API server")
    .option(
      "--gateway-address <list>",
      "addresses of this cluster's gateway; default: as the cluster says",
      parseItems,
    )
    .option("--gateway-port <port>", "port of this cluster's gateway", parsePort)
    .option("-o, --output <file>", "write it to a file that only you can read, and print nothing");
  addExamples(command, [
    [
      "link token issue --consumer east --context west -o t.yaml",
      "A token for east, good for one use within 15 minutes",
    ],
    [
      "link token issue --consumer east --expires 2h --server https://api.west.example:6443 > t.yaml",
      "Where consumers reach the API server by another name than this machine",
    ],
  ]);
  return addClusterFlags(command, "context of the provider; default: the current one").action(
    async (flags: IssueFlags) => {
      await withCluster(flags, async (access) => {
        await issueToken({
          access,
          consumer: flags.consumer,
          uses: flags.uses,
          expiresMs: flags.expires,
          server: flags.server,
          gateway: { addresses: flags.gatewayAddress, port: flags.gatewayPort },
          randomBytes,
          fileName: flags.output,
          deliver: async (token) => {
            const text = formatToken(token);
            if (flags.output === undefined) runtime.write(text);
            else await writeSecretFile(flags.output, text);
          },
          ...runtime,
        });
      });
    },
  );
}

interface RedeemFlags extends ClusterFlags {
  name?: string;
  wait: boolean;
  timeout: number;
}

function redeemCommand(runtime: Runtime): Command {
  const command = new Command("redeem")
    .summary("link this cluster to the provider that issued a token")
    .description(
      "Exchanges a token at the provider's gateway, whose certificate it must vouch for, and links this cluster. Waits until the Link is Ready. What can be checked is checked before the token is used up.",
    )
    .argument("<file>", "the token as it was issued, or - for standard input")
    .option(
      "--name <link>",
      "name of the Link; default: the provider's cluster name",
      parseClusterName,
    )
    .option("--no-wait", "do not wait until the Link is Ready")
    .addOption(timeoutFlag("60s"));
  addExamples(command, [
    ["link token redeem t.yaml --context east", "Link east to the cluster that issued the token"],
    ["link token redeem - --no-wait < t.yaml", "From standard input, without waiting"],
  ]);
  return addClusterFlags(command, "context of the consumer; default: the current one").action(
    async (file: string, flags: RedeemFlags) => {
      const text = await readTokenText(file, process.stdin);
      const token = parseToken(text, file === "-" ? "standard input" : file);
      await withCluster(flags, async (access) => {
        await redeemToken({
          access,
          token,
          linkName: flags.name,
          wait: flags.wait,
          timeoutMs: flags.timeout,
          ...runtime,
        });
      });
    },
  );
}

function listCommand(runtime: Runtime): Command {
  const command = new Command("list")
    .summary("show the tokens that are pending")
    .description(
      "Shows the tokens that may still be used, without anything secret. Removes those that have expired.",
    )
    .addOption(outputFlag());
  addExamples(command, [["link token list --context west", "Tokens that west has issued"]]);
  return addClusterFlags(command, "context of the provider; default: the current one").action(
    async (flags: ClusterFlags & { output: OutputFormat }) => {
      await withCluster(flags, async (access) => {
        const nowMs = runtime.clock.nowMs();
        const stored = await sweepTokens({ access, ...runtime }, nowMs);
        await tellGateways({ access, ...runtime }, nowMs);
        const report = tokensReport(stored, nowMs);
        const { useColor } = runtime;
        runtime.write(
          formatReport(report, flags.output, () => formatTokens(report, { nowMs, useColor })),
        );
      });
    },
  );
}

function revokeCommand(runtime: Runtime): Command {
  const command = new Command("revoke")
    .summary("make a token that is pending void")
    .description(
      "Makes the token for a consumer void, and removes the account that was made for it. A consumer that has joined with it stays joined (link unjoin --peer).",
    )
    .argument("<consumer>", "cluster name of the consumer that the token is for", parseClusterName);
  addExamples(command, [["link token revoke east --context west", "Void the token for east"]]);
  return addClusterFlags(command, "context of the provider; default: the current one").action(
    async (consumer: string, flags: ClusterFlags) => {
      await withCluster(flags, async (access) => {
        await revokeToken({ access, consumer, ...runtime });
      });
    },
  );
}

function parseExpires(text: string): number {
  const expiresMs = parseDurationMs(text);
  if (expiresMs >= MIN_EXPIRES_MS && expiresMs <= MAX_EXPIRES_MS) return expiresMs;
  throw new InvalidArgumentError("Use a time from 10s to 24h.");
}

async function withCluster(
  flags: ClusterFlags,
  action: (access: ClusterAccess) => Promise<void>,
): Promise<void> {
  const access = openCluster(flags);
  try {
    await action(access);
  } finally {
    await access.client.close();
  }
}
