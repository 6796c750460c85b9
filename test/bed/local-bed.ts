import { cpSync, existsSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addressPlan, clusterPodRanges, nodePodRanges, serviceRanges } from "./address-plan.ts";
import { type Bed, type BedNode, type Cluster, clusterNamed, proxyModeOf } from "./bed.ts";
import { run } from "./command.ts";
import {
  adminKubeconfigPath,
  auditLogPath,
  type ClusterPlan,
  planCluster,
} from "./control-plane.ts";
import { importImage } from "./node.ts";
import { nodeName, nodeNetns, planNode } from "./node-plan.ts";
import { execInPod } from "./pod-exec.ts";
import { processControl } from "./processes.ts";
import { adoptSlot, isStale, readOwner, slotFolder, usedSlots } from "./slot.ts";
import { type BedState, readState } from "./state.ts";
import { sweepSlot } from "./sweep.ts";
import { waitForApi } from "./wait-for-api.ts";

function nodeOf(plan: ClusterPlan, index: number): BedNode {
  const netns = nodeNetns(plan, index);
  return {
    name: nodeName(plan, index),
    netns,
    address: plan.addresses.node(plan.index, index),
    podCidr: nodePodRanges(plan.index, index).ipv4,
    proxyMode: proxyModeOf(plan.spec, index),
    exec: (args, options) => run(["nsenter", `--net=/run/netns/${netns}`, ...args], options),
  };
}

function clusterOf(plan: ClusterPlan, bedFolder: string): Cluster {
  const audit = auditLogPath(plan);
  const kubeconfigPath = adminKubeconfigPath(plan);
  return {
    name: plan.spec.name,
    server: plan.server,
    caPem: readFileSync(join(plan.folder, "ca.crt"), "utf8"),
    kubeconfigPath,
    podCidr: clusterPodRanges(plan.index).ipv4,
    serviceCidr: serviceRanges(plan.index).ipv4,
    nodes: Array.from({ length: plan.spec.nodes }, (_, index) => nodeOf(plan, index)),
    logsFolder: plan.logsFolder,
    ...(audit ? { auditLogPath: audit } : {}),
    execInPod: (target, args, options) => execInPod(kubeconfigPath, target, args, options),
    process: (component, node) =>
      processControl(bedFolder, [plan.spec.name, ...(node ? [node] : []), component].join("/")),
    waitForApi: (timeoutMs) => waitForApi(kubeconfigPath, timeoutMs),
  };
}

/** Plans all clusters of a bed from its state. */
export function planClusters(state: BedState): ClusterPlan[] {
  const addresses = addressPlan(state.slot);
  return state.clusters.map((spec, index) =>
    planCluster(spec, index, state.slot, addresses, slotFolder(state.slot), state.logsFolder),
  );
}

/** The id of the bed in a slot. */
export function localId(slot: number): string {
  return `local-${slot}`;
}

/** Path of the kubeconfig with a context for each cluster of a bed. */
export function mergedKubeconfigPath(slot: number): string {
  return join(slotFolder(slot), "kubeconfig");
}

/** Copies the logs of a bed that is about to be removed to where they stay, and returns that folder. */
export function keepLogs(state: BedState): string {
  if (state.ownLogsFolder || !existsSync(state.logsFolder)) return state.logsFolder;
  const time = new Date().toISOString().replaceAll(/[-:]|\..*/g, "");
  const kept = join(tmpdir(), "isthmus-logs", `${time}-${state.slot}`);
  cpSync(state.logsFolder, kept, { recursive: true, verbatimSymlinks: true });
  return kept;
}

/** The handle on a local bed that is up, made from its state alone. */
export function localBed(state: BedState): Bed {
  const folder = slotFolder(state.slot);
  const clusters = new Map(
    planClusters(state).map((plan) => [plan.spec.name, clusterOf(plan, folder)]),
  );
  let isDown = false;
  return {
    provider: "local",
    id: localId(state.slot),
    clusters,
    kubeconfigPath: mergedKubeconfigPath(state.slot),
    logsFolder: state.logsFolder,
    loadBalancerPrefix: addressPlan(state.slot).loadBalancerPrefix,
    cluster: (name) => clusterNamed(clusters, name),
    async down(options = {}) {
      if (isDown) return undefined;
      isDown = true;
      const kept = options.keepLogs || state.ownLogsFolder ? keepLogs(state) : undefined;
      await sweepSlot(state.slot, folder);
      return kept;
    },
  };
}

/** Ids of the local beds that were left running; beds that a running process still owns are its own business. */
export function runningLocalBeds(): string[] {
  return usedSlots()
    .filter((slot) => readState(slot) && readOwner(slot)?.detached && !isStale(slot))
    .map(localId);
}

/**
 * The handle on a local bed that any process brought up.
 * @throws Error if there is no such bed.
 */
export function attachLocalBed(id: string): Bed {
  const state = readState(slotOf(id));
  if (!state) throw new Error(`no bed ${id} is up`);
  return localBed(state);
}

/** Imports a docker-archive into every node of a bed that is up. @throws Error if there is no such bed. */
export async function importIntoLocalBed(id: string, image: string): Promise<void> {
  const state = readState(slotOf(id));
  if (!state) throw new Error(`no bed ${id} is up`);
  const nodes = planClusters(state).flatMap((plan) =>
    Array.from({ length: plan.spec.nodes }, (_, index) =>
      planNode(plan, index, slotFolder(state.slot)),
    ),
  );
  await Promise.all(nodes.map((node) => importImage(node, image)));
}

/** Takes over a bed that was brought up detached: it is removed like one of this process' own when this process dies. */
export function adoptLocalBed(id: string): void {
  adoptSlot(slotOf(id));
}

function slotOf(id: string): number {
  return Number(id.replace(/^local-/, ""));
}
