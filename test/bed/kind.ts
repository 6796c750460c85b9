import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { stringify } from "yaml";
import { clusterPodRanges, rangesText, serviceRanges } from "./address-plan.ts";
import {
  type Bed,
  type BedNode,
  type BedOptions,
  type Cluster,
  type ClusterSpec,
  clusterNamed,
  type Provider,
  proxyModeOf,
} from "./bed.ts";
import { run, runOk } from "./command.ts";
import { startCloud } from "./cloud-process.ts";
import { kubeconfigText, readKubeconfig } from "./kubeconfig.ts";
import { execInPod } from "./pod-exec.ts";
import { readRecords, signalProcess } from "./processes.ts";
import { waitForApi } from "./wait-for-api.ts";

const createTimeoutMs = 600_000;
const folderPrefix = "isthmus-kind-";

/** What has to be known of a running bed of kind clusters, to use it from any process. */
interface KindState {
  readonly clusters: readonly {
    readonly spec: ClusterSpec;
    readonly nodes: readonly { name: string; address: string }[];
  }[];
}

const kindName = (name: string) => `isthmus-${name}`;
const kubeconfigPath = (folder: string, name: string) => join(folder, `${name}.kubeconfig`);
const statePath = (folder: string) => join(folder, "state.json");
const idOf = (folder: string) => basename(folder).replace(/^isthmus-/, "");
const folderOf = (id: string) => join(tmpdir(), `isthmus-${id}`);

async function checkTools(): Promise<void> {
  const needed = [
    { args: ["docker", "info"], fix: "Docker Engine is not running here: install and start it" },
    {
      args: ["kind", "version"],
      fix: "the kind command is missing: install it (go install sigs.k8s.io/kind@latest)",
    },
  ];
  for (const { args, fix } of needed) {
    if ((await run(args)).code !== 0)
      throw new Error(`the kind provider cannot be used: ${fix}, or use --provider local`);
  }
}

function kindConfig(spec: ClusterSpec, index: number): string {
  if (spec.nodes === 0) return kindConfig({ ...spec, nodes: 1 }, index);
  const { proxyMode = "nftables", dualStack = false } = spec;
  if (typeof proxyMode !== "string")
    throw new Error("kind gives all nodes of a cluster the same kube-proxy");
  const workers = Array.from({ length: spec.nodes - 1 }, () => ({ role: "worker" }));
  return stringify({
    apiVersion: "kind.x-k8s.io/v1alpha4",
    kind: "Cluster",
    networking: {
      podSubnet: rangesText(clusterPodRanges(index), dualStack),
      serviceSubnet: rangesText(serviceRanges(index), dualStack),
      ...(dualStack ? { ipFamily: "dual" } : {}),
      kubeProxyMode: proxyMode,
    },
    nodes: [{ role: "control-plane" }, ...workers],
  });
}

async function createCluster(
  spec: ClusterSpec,
  index: number,
  folder: string,
  options: BedOptions,
): Promise<void> {
  const name = kindName(spec.name);
  const configPath = join(folder, `${spec.name}.yaml`);
  writeFileSync(configPath, kindConfig(spec, index));
  options.signal?.throwIfAborted();
  options.onProgress?.(`${spec.name}: kind create cluster`);
  const kubeconfig = ["--kubeconfig", kubeconfigPath(folder, `kind-${spec.name}`)];
  await kind([
    "create",
    "cluster",
    "--name",
    name,
    "--config",
    configPath,
    ...kubeconfig,
    "--wait",
    "120s",
  ]);
  for (const image of options.images ?? []) {
    options.signal?.throwIfAborted();
    await kind(["load", "image-archive", image, "--name", name]);
  }
}

function kind(args: readonly string[]): Promise<string> {
  return runOk(["kind", ...args], { timeoutMs: createTimeoutMs });
}

async function findNodes(spec: ClusterSpec): Promise<{ name: string; address: string }[]> {
  const names = (await kind(["get", "nodes", "--name", kindName(spec.name)]))
    .split("\n")
    .filter(Boolean);
  const format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
  return Promise.all(
    names.toSorted().map(async (name) => ({
      name,
      address: (await runOk(["docker", "inspect", "--format", format, name])).trim(),
    })),
  );
}

/**
 * The URL in kind's own kubeconfig works only from this machine. The control plane's address in Docker's network works
 * from here (on Linux), from every node and from every pod, and kubeadm puts it into the serving certificate.
 */
async function writeKubeconfig(folder: string, spec: ClusterSpec): Promise<void> {
  const controlPlane = `${kindName(spec.name)}-control-plane`;
  const nodes = await findNodes(spec);
  const address = nodes.find(({ name }) => name === controlPlane)?.address;
  if (!address) throw new Error(`kind made no node ${controlPlane}`);
  const access = readKubeconfig(kubeconfigPath(folder, `kind-${spec.name}`));
  const entry = { ...access, name: spec.name, server: `https://${address}:6443` };
  writeFileSync(kubeconfigPath(folder, spec.name), kubeconfigText([entry]), { mode: 0o600 });
}

function clusterOf(
  { spec, nodes }: KindState["clusters"][number],
  index: number,
  folder: string,
): Cluster {
  const path = kubeconfigPath(folder, spec.name);
  const { server, caPem } = readKubeconfig(path);
  const nodeOf = ({ name, address }: { name: string; address: string }, node: number): BedNode => ({
    name,
    proxyMode: proxyModeOf(spec, node),
    netns: "",
    address,
    podCidr: clusterPodRanges(index).ipv4,
    exec: (args, options) => run(["docker", "exec", "-i", name, ...args], options),
  });
  return {
    name: spec.name,
    server,
    caPem,
    kubeconfigPath: path,
    podCidr: clusterPodRanges(index).ipv4,
    serviceCidr: serviceRanges(index).ipv4,
    nodes: nodes.map(nodeOf),
    logsFolder: join(folder, "logs", spec.name),
    execInPod: (target, args, options) => execInPod(path, target, args, options),
    process(component) {
      throw new Error(`the kind provider does not control single processes such as ${component}`);
    },
    waitForApi: (timeoutMs) => waitForApi(path, timeoutMs),
  };
}

/** Ids of the beds of kind clusters that are up. */
export function runningKindBeds(): string[] {
  const folders = readdirSync(tmpdir()).filter((name) => name.startsWith(folderPrefix));
  return folders
    .filter((name) => existsSync(statePath(join(tmpdir(), name))))
    .map((name) => idOf(name));
}

async function removeAll(folder: string, specs: readonly ClusterSpec[]): Promise<void> {
  for (const record of readRecords(folder)) signalProcess(record, "SIGKILL");
  for (const { name } of specs) await kind(["delete", "cluster", "--name", kindName(name)]);
  rmSync(folder, { recursive: true, force: true });
}

/** The handle on a bed of kind clusters. @throws Error if there is no such bed. */
export function attachKindBed(id: string): Bed {
  const folder = folderOf(id);
  if (!existsSync(statePath(folder))) throw new Error(`no bed ${id} is up`);
  const state: KindState = JSON.parse(readFileSync(statePath(folder), "utf8"));
  const clusters = new Map(
    state.clusters.map((each, index) => [each.spec.name, clusterOf(each, index, folder)]),
  );
  const address = state.clusters[0]?.nodes[0]?.address ?? "";
  const specs = state.clusters.map(({ spec }) => spec);
  let isDown = false;
  return {
    provider: "kind",
    id,
    clusters,
    kubeconfigPath: join(folder, "kubeconfig"),
    logsFolder: join(folder, "logs"),
    // Docker hands out its network from the lower end; this is the upper one.
    loadBalancerPrefix: `${address.split(".").slice(0, 2).join(".")}.250`,
    cluster: (name) => clusterNamed(clusters, name),
    async down(options = {}) {
      if (isDown) return undefined;
      isDown = true;
      const kept = join(tmpdir(), "isthmus-logs", `${id}-${Date.now()}`);
      if (options.keepLogs)
        for (const { name } of specs)
          await kind(["export", "logs", join(kept, name), "--name", kindName(name)]);
      await removeAll(folder, specs);
      return options.keepLogs ? kept : undefined;
    },
  };
}

/** Brings up clusters with the kind command, for machines that run Docker. Its clusters always outlive the process. */
export const kindProvider: Provider = {
  name: "kind",
  async up(options) {
    await checkTools();
    const folder = mkdtempSync(join(tmpdir(), folderPrefix));
    mkdirSync(join(folder, "logs"));
    try {
      for (const [index, spec] of options.clusters.entries())
        await createCluster(spec, index, folder, options);
      for (const spec of options.clusters) await writeKubeconfig(folder, spec);
      const clusters = await Promise.all(
        options.clusters.map(async (spec) => ({ spec, nodes: await findNodes(spec) })),
      );
      const entries = options.clusters.map(({ name }) => ({
        ...readKubeconfig(kubeconfigPath(folder, name)),
        name,
      }));
      writeFileSync(join(folder, "kubeconfig"), kubeconfigText(entries), { mode: 0o600 });
      const state: KindState = { clusters };
      writeFileSync(statePath(folder), JSON.stringify(state, null, 2));
      startCloud(folder, idOf(folder), join(folder, "logs"));
      return attachKindBed(idOf(folder));
    } catch (error) {
      await removeAll(folder, options.clusters);
      throw error;
    }
  },
};
