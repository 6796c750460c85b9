/** How many beds fit beside each other on one machine. */
export const slotCount = 16;

const maxClusters = 16;
// The addresses of a /28, less the first and the last.
const addressesPerCluster = 16;
const maxNodesPerCluster = 14;

/** The addresses of one bed. Slot and cluster and node numbers count from 0. */
export interface AddressPlan {
  /** Prefix length of the fabric's subnet, to which all addresses here belong. */
  readonly fabricPrefix: number;
  /** The fabric bridge itself: the nodes' default route, which leads nowhere. */
  readonly bridge: string;
  /** The same in IPv6. */
  readonly bridgeIpv6: string;
  /** The end of the cable in the root namespace. */
  readonly root: string;
  apiServer(cluster: number): string;
  node(cluster: number, node: number): string;
  /** The second address of a node of a dual-stack cluster. */
  nodeIpv6(cluster: number, node: number): string;
  /** The subnet of a cluster's nodes. */
  nodeSubnet(cluster: number): string;
  nodeSubnetIpv6(cluster: number): string;
  /** The first three bytes of the addresses handed out to Services of type LoadBalancer. */
  readonly loadBalancerPrefix: string;
}

/** The addresses of the bed in a slot. */
export function addressPlan(slot: number): AddressPlan {
  const prefix = `10.${200 + slot}`;
  const ipv6Prefix = `fd00:${200 + slot}::`;
  return {
    fabricPrefix: 16,
    bridge: `${prefix}.0.1`,
    bridgeIpv6: `${ipv6Prefix}1`,
    root: `${prefix}.255.1`,
    apiServer: (cluster) => `${prefix}.0.${10 + cluster}`,
    node: (cluster, node) => `${prefix}.1.${cluster * addressesPerCluster + node + 1}`,
    nodeIpv6: (cluster, node) => `${ipv6Prefix}1:${cluster}:${node + 1}`,
    nodeSubnetIpv6: (cluster) => `${ipv6Prefix}1:${cluster}:0/112`,
    nodeSubnet: (cluster) => `${prefix}.1.${cluster * addressesPerCluster}/28`,
    loadBalancerPrefix: `${prefix}.2`,
  };
}

/** A range of addresses of one cluster in each family; IPv6 belongs to dual-stack clusters only. */
export interface Ranges {
  readonly ipv4: string;
  readonly ipv6: string;
}

/** The ranges of all pods of a cluster. */
export function clusterPodRanges(cluster: number): Ranges {
  return { ipv4: `10.${100 + cluster}.0.0/16`, ipv6: `fd00:${100 + cluster}::/32` };
}

/** The ranges of the pods of one node. */
export function nodePodRanges(cluster: number, node: number): Ranges {
  return {
    ipv4: `10.${100 + cluster}.${node + 1}.0/24`,
    ipv6: `fd00:${100 + cluster}:${node + 1}::/64`,
  };
}

/** The ranges of a cluster's Services. */
export function serviceRanges(cluster: number): Ranges {
  return { ipv4: `10.${150 + cluster}.0.0/20`, ipv6: `fd00:${150 + cluster}::/112` };
}

/** Both ranges as Kubernetes takes them, with a comma; IPv4 alone where the cluster has but one family. */
export function rangesText({ ipv4, ipv6 }: Ranges, isDualStack: boolean): string {
  return isDualStack ? `${ipv4},${ipv6}` : ipv4;
}

/** The address of the Service `kubernetes`: the first of the Service range. */
export function kubernetesServiceAddress(cluster: number): string {
  return `10.${150 + cluster}.0.1`;
}

/** @throws Error naming the limit that a wish for clusters and nodes breaks. */
export function checkSizes(nodesByCluster: readonly number[]): void {
  if (nodesByCluster.length === 0) throw new Error("a bed needs at least one cluster");
  if (nodesByCluster.length > maxClusters)
    throw new Error(`a bed holds at most ${maxClusters} clusters`);
  for (const nodes of nodesByCluster) {
    if (!Number.isInteger(nodes) || nodes < 0 || nodes > maxNodesPerCluster)
      throw new Error(`a cluster holds 0 to ${maxNodesPerCluster} nodes, not ${nodes}`);
  }
}
