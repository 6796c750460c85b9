import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { BinaryPaths } from "../setup/binaries.ts";
import type { Api } from "./api.ts";
import { createCgroup } from "./cgroups.ts";
import { run, runOk } from "./command.ts";
import type { ClusterCredentials } from "./control-plane.ts";
import { kubeconfigText } from "./kubeconfig.ts";
import { createNodeNetwork } from "./network.ts";
import { nodeConfigs, nodeFiles } from "./node-config.ts";
import type { NodePlan } from "./node-plan.ts";
import { settleAll } from "./settle-all.ts";
import { pollWhileAlive, type ProcessRecord, type ProcessSpec, startProcess } from "./processes.ts";

/** Name in CoreDNS's client certificate, to which cluster-objects.ts gives its role. */
export const dnsUser = "system:coredns";

const containerdTimeoutMs = 30_000;
const importTimeoutMs = 120_000;
const nodeReadyTimeoutMs = 90_000;

/** Writes a node's configuration and credentials, and makes its network and cgroup. */
export async function prepareNode(
  node: NodePlan,
  { authority }: ClusterCredentials,
): Promise<void> {
  mkdirSync(join(node.logsFolder, "pods"), { recursive: true });
  const write = (name: string, text: string) => {
    const path = join(node.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { mode: 0o600 });
  };
  for (const [name, text] of Object.entries(nodeConfigs(node))) write(name, text);
  const users = [
    [
      nodeFiles.kubeletKubeconfig,
      { commonName: `system:node:${node.name}`, organization: "system:nodes" },
    ],
    [nodeFiles.kubeProxyKubeconfig, { commonName: "system:kube-proxy" }],
    [nodeFiles.corednsKubeconfig, { commonName: dnsUser }],
  ] as const;
  const { name, server } = { name: node.cluster.spec.name, server: node.cluster.server };
  await settleAll<void>([
    createNodeNetwork(node.cluster.slot, node.cluster.addresses, node),
    ...users.map(async ([file, subject]) => {
      const pair = await authority.issue(subject);
      write(file, kubeconfigText([{ name, server, caPem: authority.certPem, ...pair }]));
    }),
  ]);
  createCgroup(node.cgroup);
}

function process(node: NodePlan, component: string, argv: string[]): ProcessSpec {
  return {
    label: `${node.cluster.spec.name}/${node.name}/${component}`,
    netns: node.netns,
    logPath: join(node.logsFolder, `${component}.log`),
    argv,
  };
}

/** Starts a prepared node's containerd and imports the images. It needs no API server. */
export async function startRuntime(
  bedFolder: string,
  node: NodePlan,
  images: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  const argv = ["containerd", "--config", join(node.folder, nodeFiles.containerd)];
  const containerd = startProcess(bedFolder, process(node, "containerd", argv));
  const ctr = ["ctr", "--address", node.containerdSocket, "--namespace", "k8s.io"];
  const answers = async () => (await run([...ctr, "version"])).code === 0;
  await pollWhileAlive(`containerd of ${node.name} answers`, [containerd], answers, {
    timeoutMs: containerdTimeoutMs,
    signal,
  });
  for (const image of images) {
    signal?.throwIfAborted();
    await importImage(node, image);
  }
}

/** Imports a docker-archive into the containerd of a node that runs. */
export async function importImage({ containerdSocket }: NodePlan, image: string): Promise<void> {
  const ctr = ["ctr", "--address", containerdSocket, "--namespace", "k8s.io"];
  await runOk([...ctr, "images", "import", image], { timeoutMs: importTimeoutMs });
}

/** Starts the rest of a node once its runtime and its cluster's API server are up. */
export function startKubernetes(
  bedFolder: string,
  node: NodePlan,
  binaries: BinaryPaths,
): ProcessRecord[] {
  const file = (name: string) => join(node.folder, name);
  const specs = [
    process(node, "kubelet", [
      binaries.kubelet,
      `--config=${file(nodeFiles.kubelet)}`,
      `--kubeconfig=${file(nodeFiles.kubeletKubeconfig)}`,
      `--root-dir=${file("kubelet")}`,
      `--cert-dir=${file("pki")}`,
      `--hostname-override=${node.name}`,
      `--node-ip=${node.isDualStack ? `${node.address},${node.addressIpv6}` : node.address}`,
    ]),
    process(node, "kube-proxy", [binaries.kubeProxy, `--config=${file(nodeFiles.kubeProxy)}`]),
    process(node, "coredns", [binaries.coredns, "-conf", file(nodeFiles.corefile)]),
  ];
  return specs.map((spec) => startProcess(bedFolder, spec));
}

interface NodeObject {
  status?: { conditions?: { type: string; status: string; message?: string }[] };
}

/** Waits until the node's kubelet has registered it and reports it Ready. */
export async function waitForNode(
  api: Api,
  name: string,
  needed: readonly ProcessRecord[],
  signal?: AbortSignal,
): Promise<void> {
  const attempt = async () => {
    const node: NodeObject = await api.request("GET", `/api/v1/nodes/${name}`);
    const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
    if (ready?.status === "True") return true;
    throw new Error(ready?.message ?? "no condition Ready");
  };
  const options = { timeoutMs: nodeReadyTimeoutMs, signal };
  await pollWhileAlive(`node ${name} is Ready`, needed, attempt, options);
}
