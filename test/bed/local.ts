import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type BinaryPaths, binaryPaths } from "../setup/binaries.ts";
import { pauseImage } from "../setup/pause-image.ts";
import { addressPlan, checkSizes, slotCount } from "./address-plan.ts";
import { openApi } from "./api.ts";
import type { Bed, BedOptions, Provider } from "./bed.ts";
import { startCloud } from "./cloud-process.ts";
import { run } from "./command.ts";
import { waitForPodAdmission, writeDnsRole, writeKubernetesEndpoints } from "./cluster-objects.ts";
import {
  apiServerProcess,
  type ClusterCredentials,
  type ClusterPlan,
  controllerProcesses,
  etcdProcess,
  writeCredentials,
} from "./control-plane.ts";
import { guardExit } from "./exit-guard.ts";
import { kubeconfigText } from "./kubeconfig.ts";
import { keepLogs, localBed, localId, mergedKubeconfigPath, planClusters } from "./local-bed.ts";
import { createFabric } from "./network.ts";
import { dnsUser, prepareNode, startKubernetes, startRuntime, waitForNode } from "./node.ts";
import { type NodePlan, planNode } from "./node-plan.ts";
import { pollWhileAlive, type ProcessRecord, startProcess } from "./processes.ts";
import { settleAll } from "./settle-all.ts";
import { claimantOf, claimSlot, detachSlot, reclaimStaleSlots, slotFolder } from "./slot.ts";
import { type BedState, writeState } from "./state.ts";
import { sweepSlot } from "./sweep.ts";
import { prepareSysctls } from "./sysctls.ts";

const readyTimeoutMs = 90_000;
const apiServerPort = 6443;

function checkOptions(options: BedOptions): void {
  checkSizes(options.clusters.map(({ nodes }) => nodes));
  const names = options.clusters.map(({ name }) => name);
  for (const name of names) {
    if (!/^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/.test(name)) {
      throw new Error(
        `"${name}" is no name for a cluster: use a DNS label of at most 40 characters`,
      );
    }
    // containerd's longest socket. Linux allows a path of 107 bytes.
    const socket = join(slotFolder(slotCount - 1), "nodes", `${name}-14`, "c.sock.ttrpc");
    if (Buffer.byteLength(socket) > 107) {
      throw new Error(`${socket} is too long for a Unix socket: set TMPDIR to a shorter path`);
    }
  }
  if (new Set(names).size < names.length)
    throw new Error(`two clusters have the same name: ${names.join(", ")}`);
  if (process.getuid?.() !== 0)
    throw new Error("the local provider needs root: it makes network namespaces");
  const binaries: BinaryPaths = binaryPaths();
  const missing = Object.values(binaries).filter((path: string) => !existsSync(path));
  if (missing.length > 0)
    throw new Error(`not built yet: ${missing.join(", ")}; run "npm run setup"`);
  for (const image of options.images ?? []) {
    if (!existsSync(image)) throw new Error(`the image ${image} does not exist`);
  }
}

interface Context {
  readonly state: BedState;
  readonly folder: string;
  readonly options: BedOptions;
  /** What every node imports, the pause image first. */
  readonly images: readonly string[];
  readonly binaries: BinaryPaths;
}

async function startCluster(
  plan: ClusterPlan,
  credentials: ClusterCredentials,
  etcd: ProcessRecord,
  { folder, options, images, binaries }: Context,
): Promise<void> {
  const api = openApi(credentials.admin);
  const { nodes: nodeCount, name } = plan.spec;
  const nodes = Array.from({ length: nodeCount }, (_, index) => planNode(plan, index, folder));
  const startNode = async (node: NodePlan) => {
    await prepareNode(node, credentials);
    await startRuntime(folder, node, images, options.signal);
    options.onProgress?.(`${node.name}: container runtime ready, ${images.length} images imported`);
  };
  const startControlPlane = async () => {
    const server = startProcess(folder, apiServerProcess(plan, binaries));
    const ready = () => api.request<string>("GET", "/readyz");
    await pollWhileAlive(`the API server of ${name} is ready`, [server, etcd], ready, {
      timeoutMs: readyTimeoutMs,
      signal: options.signal,
    });
    for (const spec of controllerProcesses(plan, binaries)) startProcess(folder, spec);
    await writeKubernetesEndpoints(api, plan.addresses.apiServer(plan.index), apiServerPort);
    options.onProgress?.(`${name}: control plane ready`);
  };
  try {
    await settleAll<void>([startControlPlane(), ...nodes.map(startNode)]);
    if (nodes.length === 0) return;
    await writeDnsRole(api, dnsUser);
    await settleAll(
      nodes.map(async (node) => {
        const started = startKubernetes(folder, node, binaries);
        await waitForNode(api, node.name, started, options.signal);
      }),
    );
    await waitForPodAdmission(api, options.signal);
    options.onProgress?.(`${name}: ${nodes.map((node) => node.name).join(", ")} Ready`);
  } finally {
    await api.close();
  }
}

async function start(context: Context): Promise<void> {
  const { state, folder, options, binaries } = context;
  const plans = planClusters(state);
  options.onProgress?.(
    `starting ${plans.map(({ spec }) => spec.name).join(", ")} in slot ${state.slot}`,
  );
  mkdirSync(state.logsFolder, { recursive: true });
  const fabric = createFabric(state.slot, addressPlan(state.slot), plans.length);
  const writing = settleAll(
    plans.map(async (plan) => ({ plan, credentials: await writeCredentials(plan) })),
  );
  await settleAll<unknown>([fabric, writing]);
  const credentials = await writing;
  const entries = credentials.map(({ plan, credentials: { admin } }) => ({
    name: plan.spec.name,
    ...admin,
  }));
  writeFileSync(mergedKubeconfigPath(state.slot), kubeconfigText(entries), { mode: 0o600 });
  const etcd = startProcess(folder, etcdProcess(state.slot, folder, state.logsFolder, binaries));
  await settleAll(
    credentials.map((each) => startCluster(each.plan, each.credentials, etcd, context)),
  );
  writeState(state);
  if (!plans.some(({ spec }) => spec.nodes > 0)) return;
  startCloud(folder, localId(state.slot), state.logsFolder);
}

/** Brings up clusters of real Kubernetes processes on this machine, in network namespaces of their own. */
export const localProvider: Provider = {
  name: "local",
  async up(options: BedOptions): Promise<Bed> {
    checkOptions(options);
    options.signal?.throwIfAborted();
    await reclaimStaleSlots(options.onProgress);
    const slot = claimSlot();
    const callOffGuard = guardExit(slot, claimantOf(false));
    const folder = slotFolder(slot);
    const state: BedState = {
      slot,
      logsFolder: options.logsFolder ? resolve(options.logsFolder) : join(folder, "logs"),
      ownLogsFolder: options.logsFolder !== undefined,
      clusters: options.clusters,
    };
    try {
      const hasNodes = options.clusters.some(({ nodes }) => nodes > 0);
      prepareSysctls();
      // Where they are part of the kernel there is nothing to load.
      if (hasNodes) await run(["modprobe", "--all", "br_netfilter", "overlay"]);
      const images = hasNodes ? [await pauseImage(), ...(options.images ?? [])] : [];
      await start({ state, folder, options, images, binaries: binaryPaths() });
      const bed = localBed(state);
      if (options.detached) {
        detachSlot(slot);
        callOffGuard();
        return bed;
      }
      return {
        ...bed,
        async down(downOptions) {
          const kept = await bed.down(downOptions);
          callOffGuard();
          return kept;
        },
      };
    } catch (error) {
      // Interrupted on purpose: nobody wants the logs.
      const kept = options.signal?.aborted ? undefined : keepLogs(state);
      await sweepSlot(slot, folder);
      callOffGuard();
      options.signal?.throwIfAborted();
      const message = error instanceof Error ? error.message : String(error);
      throw new Error(`the bed did not come up: ${message}\nlogs: ${kept}`, { cause: error });
    }
  },
};
