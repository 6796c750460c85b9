import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { clusterPodCidr, serviceCidr } from "./address-plan.ts";
import type { Bed, BedNode, BedOptions, Cluster, ClusterSpec, Provider } from "./bed.ts";
import { run, runOk } from "./command.ts";
import { caOf, mergeKubeconfigs, openKubeconfig, serverOf } from "./kubeconfig.ts";
import { execInPod } from "./pod-exec.ts";
import { poll } from "./poll.ts";

const createTimeoutMs = 600_000;
const apiTimeoutMs = 60_000;
const folderPrefix = "isthmus-kind-";

/** What has to be known of a running bed of kind clusters. */
interface KindState {
  readonly folder: string;
  readonly clusters: readonly ClusterSpec[];
}

const kindName = (name: string) => `isthmus-${name}`;
const kubeconfigPath = (folder: string, name: string) => join(folder, `${name}.kubeconfig`);

async function checkTools(): Promise<void> {
  const needed = [
    { args: ["docker", "info"], fix: "Docker Engine is not running here: install and start it" },
    { args: ["kind", "version"], fix: "the kind command is missing: install it (go install sigs.k8s.io/kind@latest)" },
  ];
  for (const { args, fix } of needed) {
    if ((await run(args)).code !== 0) throw new Error(`the kind provider cannot be used: ${fix}, or use --provider local`);
  }
}

function kindConfig(spec: ClusterSpec, index: number): string {
  if (spec.nodes === 0) return kindConfig({ ...spec, nodes: 1 }, index);
  const workers = Array.from({ length: spec.nodes - 1 }, () => ({ role: "worker" }));
  return stringify({
    apiVersion: "kind.x-k8s.io/v1alpha4",
    kind: "Cluster",
    networking: {
      podSubnet: clusterPodCidr(index),
      serviceSubnet: serviceCidr(index),
      kubeProxyMode: spec.proxyMode ?? "nftables",
    },
    nodes: [{ role: "control-plane" }, ...workers],
  });
}

async function createCluster(spec: ClusterSpec, index: number, folder: string, options: BedOptions): Promise<void> {
  const name = kindName(spec.name);
  const configPath = join(folder, `${spec.name}.yaml`);
  writeFileSync(configPath, kindConfig(spec, index));
  options.onProgress?.(`${spec.name}: kind create cluster`);
  const path = kubeconfigPath(folder, spec.name);
  const create = ["create", "cluster", "--name", name, "--config", configPath, "--kubeconfig", path, "--wait", "120s"];
  await runOk(["kind", ...create], { timeoutMs: createTimeoutMs });
  for (const image of options.images ?? []) {
    await runOk(["kind", "load", "image-archive", image, "--name", name], { timeoutMs: createTimeoutMs });
  }
}

async function nodesOf(spec: ClusterSpec): Promise<BedNode[]> {
  const names = (await runOk(["kind", "get", "nodes", "--name", kindName(spec.name)])).split("\n").filter(Boolean);
  const address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
  return Promise.all(
    names.map(async (name) => ({
      name,
      netns: "",
      address: (await runOk(["docker", "inspect", "--format", address, name])).trim(),
      podCidr: "",
      exec: (args, options) => run(["docker", "exec", "-i", name, ...args], options),
    })),
  );
}
