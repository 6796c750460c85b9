import { stringify } from "yaml";
import { pauseReference } from "../setup/pause-image.ts";
import { rangesText } from "./address-plan.ts";
import type { NodePlan } from "./node-plan.ts";

/** Names of a node's configuration files and kubeconfigs in its folder. */
export const nodeFiles = {
  containerd: "containerd.toml",
  cni: "cni/10-bridge.conflist",
  kubelet: "kubelet.yaml",
  kubeProxy: "kube-proxy.yaml",
  corefile: "Corefile",
  kubeletKubeconfig: "kubelet.kubeconfig",
  kubeProxyKubeconfig: "kube-proxy.kubeconfig",
  corednsKubeconfig: "coredns.kubeconfig",
} as const;

/** Debian's containernetworking-plugins. */
const cniBinaries = "/usr/lib/cni";

/** containerd's configuration, version 2: read by containerd 1.6, 1.7 and (migrated on reading) 2. */
function containerdConfig(node: NodePlan): string {
  const cri = `plugins."io.containerd.grpc.v1.cri"`;
  const unusedSnapshotters = ["btrfs", "zfs", "aufs", "devmapper"].map(
    (name) => `io.containerd.snapshotter.v1.${name}`,
  );
  return `version = 2
root = "${node.folder}/root"
state = "${node.folder}/state"
disabled_plugins = ${JSON.stringify(unusedSnapshotters)}
[grpc]
  address = "${node.containerdSocket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${node.folder}/opt"
[${cri}]
  sandbox_image = "${pauseReference}"
  netns_mounts_under_state_dir = true
  disable_apparmor = true
  # Without CAP_SYS_RESOURCE runc may not lower an OOM score, and every pod fails.
  restrict_oom_score_adj = true
[${cri}.cni]
  bin_dir = "${cniBinaries}"
  conf_dir = "${node.folder}/cni"
[${cri}.containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"
[${cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[${cri}.containerd.runtimes.runc.options]
  SystemdCgroup = false
`;
}

function cniConfig(node: NodePlan): string {
  const { ipv4, ipv6 } = node.podRanges;
  const ranges = node.isDualStack ? [ipv4, ipv6] : [ipv4];
  const ipam = {
    type: "host-local",
    dataDir: `${node.folder}/ipam`,
    ranges: ranges.map((subnet) => [{ subnet }]),
  };
  const bridge = {
    type: "bridge",
    bridge: "cni0",
    isDefaultGateway: true,
    hairpinMode: true,
    ipam,
  };
  const portmap = { type: "portmap", capabilities: { portMappings: true } };
  return JSON.stringify(
    { cniVersion: "1.0.0", name: node.cniNetwork, plugins: [bridge, portmap] },
    null,
    2,
  );
}

function kubeletConfig(node: NodePlan): string {
  // Tests fill disks and memory on purpose or by accident; the machine's own state must not evict their pods.
  const eviction = [
    "memory.available",
    "nodefs.available",
    "nodefs.inodesFree",
    "imagefs.available",
  ];
  return stringify({
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    failCgroupV1: false,
    cgroupDriver: "cgroupfs",
    cgroupRoot: node.cgroup,
    cgroupsPerQOS: true,
    enforceNodeAllocatable: ["pods"],
    containerRuntimeEndpoint: `unix://${node.containerdSocket}`,
    address: node.address,
    port: 10_250,
    healthzBindAddress: "127.0.0.1",
    readOnlyPort: 0,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: false },
      x509: { clientCAFile: `${node.cluster.folder}/ca.crt` },
    },
    // Only holders of a client certificate of this cluster's authority get this far.
    authorization: { mode: "AlwaysAllow" },
    registerNode: true,
    failSwapOn: false,
    // A log that is rotated cannot be read as a whole through the API server.
    containerLogMaxSize: "200Mi",
    podLogsDir: `${node.logsFolder}/pods`,
    resolvConf: "",
    clusterDNS: [node.address],
    clusterDomain: "cluster.local",
    localStorageCapacityIsolation: false,
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    evictionHard: Object.fromEntries(
      [...eviction, "imagefs.inodesFree"].map((signal) => [signal, "0%"]),
    ),
    nodeStatusUpdateFrequency: "2s",
    makeIPTablesUtilChains: false,
    registryPullQPS: 0,
    serializeImagePulls: false,
  });
}

function kubeProxyConfig(node: NodePlan): string {
  return stringify({
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    clientConnection: { kubeconfig: `${node.folder}/${nodeFiles.kubeProxyKubeconfig}` },
    mode: node.proxyMode,
    clusterCIDR: rangesText(node.clusterPodRanges, node.isDualStack),
    hostnameOverride: node.name,
    conntrack: { maxPerCore: 0, min: 0 },
    healthzBindAddress: "127.0.0.1:10256",
    metricsBindAddress: "127.0.0.1:10249",
  });
}

/**
 * Cluster DNS answers on the node's address, which pods reach through their default gateway. A name of any other
 * domain does not exist, as an upstream server would say; without that a lookup would end in a temporary failure.
 */
function corefile(node: NodePlan): string {
  return `cluster.local:53 {
  bind ${node.address}
  errors
  kubernetes cluster.local {
    kubeconfig ${node.folder}/${nodeFiles.corednsKubeconfig}
  }
}
.:53 {
  bind ${node.address}
  errors
  template ANY ANY {
    rcode NXDOMAIN
  }
}
`;
}

/** The text of every configuration file of a node, by its path in the node's folder. */
export function nodeConfigs(node: NodePlan): Record<string, string> {
  return {
    [nodeFiles.containerd]: containerdConfig(node),
    [nodeFiles.cni]: cniConfig(node),
    [nodeFiles.kubelet]: kubeletConfig(node),
    [nodeFiles.kubeProxy]: kubeProxyConfig(node),
    [nodeFiles.corefile]: corefile(node),
  };
}
