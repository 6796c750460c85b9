import { isatty } from "node:tty";
import { constants } from "node:os";
import { Command, InvalidArgumentError, Option } from "commander";
import { createColors } from "picocolors";
import type { Bed, ProxyMode } from "./bed.ts";
import { attachBed, provider, type ProviderName, providerNames, runningBeds } from "./provider.ts";
import { exportBed } from "./tools.ts";

const pc = createColors(isatty(process.stdout.fd));

interface UpOptions {
  readonly clusters: string;
  readonly nodes: number;
  readonly proxyMode: ProxyMode;
  readonly provider: ProviderName;
  readonly image: readonly string[];
  readonly audit: boolean;
  readonly export: boolean;
}

const startedMs = performance.now();

function progress(line: string): void {
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1).padStart(6);
  console.error(`${pc.dim(`${seconds} s`)}  ${line}`);
}

function count(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("It has to be a whole number.");
  return Number(text);
}

function describe(bed: Bed): string {
  const lines = [pc.bold(`bed ${bed.id}`)];
  for (const cluster of bed.clusters.values()) {
    const nodes =
      cluster.nodes.map(({ name, address }) => `${name} (${address})`).join(", ") || "no nodes";
    lines.push(
      `  ${cluster.name}: ${cluster.server}, ${nodes}`,
      `    kubeconfig ${cluster.kubeconfigPath}`,
    );
  }
  const first = [...bed.clusters.keys()][0] ?? "";
  lines.push(
    `  logs ${bed.logsFolder}`,
    "  try:",
    `    export KUBECONFIG=${bed.kubeconfigPath}`,
    `    kubectl --context ${first} get pods --all-namespaces`,
    `    npm run bed -- down ${bed.id}`,
  );
  return lines.join("\n");
}

async function up(options: UpOptions): Promise<void> {
  const interrupt = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      process.exitCode = 128 + constants.signals[signal];
      interrupt.abort(new Error(`interrupted by ${signal}; all is removed again`));
    });
  }
  const bed = await provider(options.provider).up({
    clusters: options.clusters.split(",").map((name) => ({
      name: name.trim(),
      nodes: options.nodes,
      proxyMode: options.proxyMode,
      audit: options.audit,
    })),
    images: options.image,
    detached: true,
    signal: interrupt.signal,
    onProgress: progress,
  });
  progress("up");
  console.log(options.export ? exportBed(bed) : describe(bed));
}

async function down(id: string | undefined): Promise<void> {
  const running = runningBeds();
  // Somebody else on this machine may be using the others.
  if (!id && running.length > 1) {
    throw new Error(`several beds are up, name the one to take down: ${running.join(", ")}`);
  }
  const only = id ?? running[0];
  if (!only) {
    console.log("no bed is up");
    return;
  }
  await attachBed(only).down();
  console.log(`${only} is down`);
}

function status(): void {
  const ids = runningBeds();
  console.log(
    ids.length === 0 ? "no bed is up" : ids.map((id) => describe(attachBed(id))).join("\n\n"),
  );
}

const program = new Command("bed").description(
  "Real Kubernetes clusters on this machine, to play and test with.",
);
program
  .command("up")
  .description("bring up clusters that outlive this command")
  .option("--clusters <names>", "names of the clusters, with commas", "west,east")
  .option("--nodes <number>", "nodes of each cluster; 0 for control planes only", count, 1)
  .addOption(
    new Option("--proxy-mode <mode>", "kube-proxy's mode")
      .choices(["nftables", "iptables"])
      .default("nftables"),
  )
  .addOption(
    new Option("--provider <name>", "who makes the clusters")
      .choices(providerNames)
      .default("local"),
  )
  .option("--image <tar>", "docker-archive to import into every node; may be repeated", collect, [])
  .option("--audit", "write an audit log of each API server", false)
  .option("--export", "print shell commands that set BED, KUBECONFIG and PATH, for eval", false)
  .action(up);
program
  .command("down [id]")
  .description("take down the bed of that id, by default the only one that is up")
  .action(down);
program.command("status").description("list the running beds").action(status);

function collect(value: string, previous: readonly string[]): string[] {
  return [...previous, value];
}

try {
  await program.parseAsync();
} catch (error) {
  console.error(pc.red(error instanceof Error ? error.message : String(error)));
  process.exitCode ??= 1;
}
