import { join } from "node:path";
import { clusterPodRanges, nodePodRanges, type Ranges } from "./address-plan.ts";
import { type ProxyMode, proxyModeOf } from "./bed.ts";
import type { ClusterPlan } from "./control-plane.ts";
import type { NodeNetwork } from "./network.ts";

/** Where one node keeps its things. */
export interface NodePlan extends NodeNetwork {
  readonly name: string;
  readonly cluster: ClusterPlan;
  readonly proxyMode: ProxyMode;
  readonly podRanges: Ranges;
  readonly folder: string;
  readonly logsFolder: string;
  readonly containerdSocket: string;
  /** Path of its cgroup, below every hierarchy. */
  readonly cgroup: string;
  /** Name of its CNI network. */
  readonly cniNetwork: string;
}

/** The name of a node: that of its cluster and its number from 1. */
export function nodeName(cluster: ClusterPlan, index: number): string {
  return `${cluster.spec.name}-${index + 1}`;
}

/** The network namespace of a node. */
export function nodeNetns(cluster: ClusterPlan, index: number): string {
  return `is${cluster.slot}-${nodeName(cluster, index)}`;
}

function nodeAddresses({ addresses, index }: ClusterPlan, node: number) {
  return { address: addresses.node(index, node), addressIpv6: addresses.nodeIpv6(index, node) };
}

/** Plans a cluster's node of that number, counted from 0. */
export function planNode(cluster: ClusterPlan, index: number, bedFolder: string): NodePlan {
  const name = nodeName(cluster, index);
  const folder = join(bedFolder, "nodes", name);
  const indexes = Array.from({ length: cluster.spec.nodes }, (_, other) => other);
  return {
    name,
    cluster,
    netns: nodeNetns(cluster, index),
    isDualStack: cluster.spec.dualStack === true,
    ...nodeAddresses(cluster, index),
    port: `n${cluster.index}-${index}`,
    siblings: indexes
      .filter((other) => other !== index)
      .map((other) => ({
        podRanges: nodePodRanges(cluster.index, other),
        ...nodeAddresses(cluster, other),
      })),
    proxyMode: proxyModeOf(cluster.spec, index),
    podRanges: nodePodRanges(cluster.index, index),
    clusterPodRanges: clusterPodRanges(cluster.index),
    folder,
    logsFolder: join(cluster.logsFolder, name),
    containerdSocket: join(folder, "c.sock"),
    cgroup: `/isthmus-${cluster.slot}/${name}`,
    cniNetwork: `is${cluster.slot}-${name}`,
  };
}
