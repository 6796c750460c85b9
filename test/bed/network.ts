import { runOk } from "./command.ts";
import { type AddressPlan, clusterPodCidr } from "./address-plan.ts";

/** Name of the network namespace with the fabric, the API servers and all else that is no node. */
export function fabricNetns(slot: number): string {
  return `is${slot}-fabric`;
}

async function ip(commands: readonly string[], netns?: string): Promise<void> {
  const inside = netns ? ["-n", netns] : [];
  await runOk(["ip", ...inside, "-batch", "-"], { input: `${commands.join("\n")}\n` });
}

async function sysctl(netns: string, settings: readonly string[]): Promise<void> {
  await runOk(["nsenter", `--net=/run/netns/${netns}`, "sysctl", "-qw", ...settings]);
}

/**
 * Rules of the fabric's bridge: nodes of different clusters reach each other only at load balancer addresses. The API
 * servers are on the bridge itself, which this does not concern, and the root namespace may go everywhere.
 */
function fabricRules(plan: AddressPlan, clusters: number): string {
  const accept = Array.from({ length: clusters }, (_, cluster) => {
    const ranges = `{ ${plan.nodeSubnet(cluster)}, ${clusterPodCidr(cluster)} }`;
    return `ip saddr ${ranges} ip daddr ${ranges} accept`;
  });
  for (const range of [`${plan.loadBalancerPrefix}.0/24`, plan.root]) {
    accept.push(`ip saddr ${range} accept`, `ip daddr ${range} accept`);
  }
  return `table bridge isthmus {
  chain forward {
    type filter hook forward priority 0; policy drop;
    ether type arp accept
    ${accept.join("\n    ")}
  }
}
`;
}

/**
 * Makes the fabric: a bridge in a namespace of its own, joined to the root namespace by a cable, with the addresses of
 * the API servers. It forwards nothing between subnets: pod and Service ranges lead nowhere.
 */
export async function createFabric(
  slot: number,
  plan: AddressPlan,
  clusters: number,
): Promise<void> {
  const netns = fabricNetns(slot);
  const root = `is${slot}-root`;
  const prefix = plan.fabricPrefix;
  await ip([`netns add ${netns}`]);
  const servers = Array.from({ length: clusters }, (_, cluster) => plan.apiServer(cluster));
  await ip(
    [
      "link set lo up",
      "link add fabric type bridge",
      ...[plan.bridge, ...servers].map((address) => `addr add ${address}/${prefix} dev fabric`),
      "link set fabric up",
      `link add root type veth peer name ${root}`,
      "link set root master fabric up",
      `link set ${root} netns ${process.pid}`,
    ],
    netns,
  );
  await Promise.all([
    sysctl(netns, ["net.ipv4.ip_forward=0"]),
    nft(netns, fabricRules(plan, clusters)),
    ip([`addr add ${plan.root}/${prefix} dev ${root}`, `link set ${root} up`]),
  ]);
}

/** A node's place in the network. */
export interface NodeNetwork {
  readonly netns: string;
  readonly address: string;
  /** Name of its port on the fabric's bridge, at most 15 characters. */
  readonly port: string;
  /** The range of all pods of its cluster. */
  readonly clusterPodCidr: string;
  /** Pod ranges of the same cluster's other nodes, by the address of the node that has them. */
  readonly siblings: readonly { podCidr: string; address: string }[];
}

/**
 * Pods leave their cluster with their node's address: no other cluster needs a route to them, or has one. (The bridge
 * plugin's ipMasq would do so between the nodes of one cluster, too.)
 */
function nodeRules(clusterCidr: string): string {
  return `table ip isthmus {
  chain postrouting {
    type nat hook postrouting priority srcnat;
    ip saddr ${clusterCidr} ip daddr != ${clusterCidr} oifname "eth0" masquerade
  }
}
`;
}

async function nft(netns: string, rules: string): Promise<void> {
  await runOk(["nsenter", `--net=/run/netns/${netns}`, "nft", "--file", "-"], { input: rules });
}

/** Makes a node's namespace and its cable to the fabric. */
export async function createNodeNetwork(
  slot: number,
  plan: AddressPlan,
  node: NodeNetwork,
): Promise<void> {
  const fabric = fabricNetns(slot);
  await ip([`netns add ${node.netns}`]);
  await ip(
    [
      `link add ${node.port} type veth peer name eth0 netns ${node.netns}`,
      `link set ${node.port} master fabric up`,
    ],
    fabric,
  );
  await ip(
    [
      "link set lo up",
      `addr add ${node.address}/${plan.fabricPrefix} dev eth0`,
      "link set eth0 up",
      // Without a default route a connection from the node to a ClusterIP fails before it is translated.
      `route add default via ${plan.bridge}`,
      ...node.siblings.map(({ podCidr, address }) => `route add ${podCidr} via ${address}`),
    ],
    node.netns,
  );
  await nft(node.netns, nodeRules(node.clusterPodCidr));
  await sysctl(node.netns, [
    "net.ipv4.ip_forward=1",
    "net.bridge.bridge-nf-call-iptables=1",
    "net.ipv4.conf.all.route_localnet=1",
  ]);
}
