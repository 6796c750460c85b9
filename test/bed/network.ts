import { runOk } from "./command.ts";
import { type AddressPlan, clusterPodRanges, type Ranges } from "./address-plan.ts";

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

/** What one reaches of another cluster's nodes: the gateway's port where it has a port of the node, and NodePorts. */
const NODE_PORTS = "{ 15008, 30000-32767 }";

/**
 * Rules of the fabric's bridge: nodes of different clusters reach each other only at load balancer addresses, and at
 * their {@link NODE_PORTS}. The API servers are on the bridge itself, which this does not concern, and the root
 * namespace may go everywhere.
 */
function fabricRules(plan: AddressPlan, clusters: number): string {
  const accept = Array.from({ length: clusters }, (_, cluster) => {
    const { ipv4, ipv6 } = clusterPodRanges(cluster);
    const ranges = `{ ${plan.nodeSubnet(cluster)}, ${ipv4} }`;
    const rangesIpv6 = `{ ${plan.nodeSubnetIpv6(cluster)}, ${ipv6} }`;
    return `ip saddr ${ranges} ip daddr ${ranges} accept
    ip6 saddr ${rangesIpv6} ip6 daddr ${rangesIpv6} accept`;
  });
  const nodes = Array.from({ length: clusters }, (_, cluster) => plan.nodeSubnet(cluster));
  accept.push(
    `ip daddr { ${nodes.join(", ")} } tcp dport ${NODE_PORTS} accept`,
    `ip saddr { ${nodes.join(", ")} } tcp sport ${NODE_PORTS} accept`,
  );
  for (const range of [`${plan.loadBalancerPrefix}.0/24`, plan.root]) {
    accept.push(`ip saddr ${range} accept`, `ip daddr ${range} accept`);
  }
  return `table bridge isthmus {
  chain forward {
    type filter hook forward priority 0; policy drop;
    ether type arp accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    ${accept.join("\n    ")}
  }
}
`;
}

/**
 * Makes the fabric: a bridge in a namespace of its own, joined to the root namespace by a cable, with the addresses of
 * the API servers. It forwards nothing between subnets: for nodes, pod and Service ranges of others lead nowhere.
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
      `addr add ${plan.bridgeIpv6}/64 dev fabric nodad`,
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
  readonly isDualStack: boolean;
  /** Used only when it is dual-stack, like all else of IPv6 here. */
  readonly addressIpv6: string;
  /** Name of its port on the fabric's bridge, at most 15 characters. */
  readonly port: string;
  /** The ranges of its own pods. */
  readonly podRanges: Ranges;
  /** The ranges of all pods of its cluster. */
  readonly clusterPodRanges: Ranges;
  /** Pod ranges of the same cluster's other nodes, by the addresses of the node that has them. */
  readonly siblings: readonly { podRanges: Ranges; address: string; addressIpv6: string }[];
}

/**
 * Pods leave their cluster with their node's address: no other cluster needs a route to them, or has one. (The bridge
 * plugin's ipMasq would do so between the nodes of one cluster, too.)
 */
function nodeRules({ ipv4, ipv6 }: Ranges): string {
  return masqueradeRules("ip", ipv4) + masqueradeRules("ip6", ipv6);
}

function masqueradeRules(family: "ip" | "ip6", range: string): string {
  return `table ${family} isthmus {
  chain postrouting {
    type nat hook postrouting priority srcnat;
    ${family} saddr ${range} ${family} daddr != ${range} oifname "eth0" masquerade
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
      // The API server's own way to pods, for its proxy: the fabric forwards nothing of others.
      `route add ${node.podRanges.ipv4} via ${node.address}`,
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
      ...node.siblings.map(
        ({ podRanges, address }) => `route add ${podRanges.ipv4} via ${address}`,
      ),
      ...(node.isDualStack ? ipv6Commands(plan, node) : []),
    ],
    node.netns,
  );
  await nft(node.netns, nodeRules(node.clusterPodRanges));
  await sysctl(node.netns, [
    "net.ipv4.ip_forward=1",
    "net.bridge.bridge-nf-call-iptables=1",
    "net.ipv4.conf.all.route_localnet=1",
    ...(node.isDualStack
      ? [
          "net.ipv6.conf.all.forwarding=1",
          "net.bridge.bridge-nf-call-ip6tables=1",
          // The CNI's bridge would not answer at its own address before a second of duplicate detection is over.
          "net.ipv6.conf.default.accept_dad=0",
        ]
      : []),
  ]);
}

function ipv6Commands(plan: AddressPlan, node: NodeNetwork): string[] {
  return [
    `addr add ${node.addressIpv6}/64 dev eth0 nodad`,
    `route add default via ${plan.bridgeIpv6}`,
    ...node.siblings.map(
      ({ podRanges, addressIpv6 }) => `route add ${podRanges.ipv6} via ${addressIpv6}`,
    ),
  ];
}
