import type { ProcessControl } from "./processes.ts";

/** How kube-proxy carries out its rules. */
export type ProxyMode = "nftables" | "iptables";

/** One cluster to bring up. */
export interface ClusterSpec {
  /** DNS label; also the context's name in every kubeconfig. */
  readonly name: string;
  /** Real nodes; 0 gives a control plane only. */
  readonly nodes: number;
  /** kube-proxy's mode on every node, or on each in their order; nftables by default. */
  readonly proxyMode?: ProxyMode | readonly ProxyMode[];
  /** Pods, Services and nodes have IPv6 addresses besides those of IPv4. */
  readonly dualStack?: boolean;
  /** Writes an audit log of every request (level Metadata) beside the component logs. */
  readonly audit?: boolean;
}

/** What to bring up, and how. */
export interface BedOptions {
  readonly clusters: readonly ClusterSpec[];
  /** Docker-archive tars to import into every node. */
  readonly images?: readonly string[];
  /** Logs are written here and stay; by default they go with the bed unless `down` is told to keep them. */
  readonly logsFolder?: string;
  /** Aborting takes down what is already up and rejects `up`. */
  readonly signal?: AbortSignal;
  /** The bed outlives this process; `attachBed` or `npm run bed -- down` finds it again. */
  readonly detached?: boolean;
  /** Told in one line what is being done. */
  readonly onProgress?: (line: string) => void;
}

/** What a command printed and how it ended. */
export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

/** Limits of a command. */
export interface ExecOptions {
  /** After this many milliseconds the command is ended and its code is 124; by default 30 000. */
  readonly timeoutMs?: number;
  /** Text for the command's standard input. */
  readonly input?: string;
}

/** A pod in which to run a command. */
export interface PodTarget {
  readonly namespace: string;
  readonly pod: string;
  /** The first container by default. */
  readonly container?: string;
}

/** A real node of a cluster. */
export interface BedNode {
  readonly name: string;
  /** Name of its network namespace; empty where the provider has none. */
  readonly netns: string;
  /** Its address, which other clusters' nodes can reach. */
  readonly address: string;
  /** The range of its pods. */
  readonly podCidr: string;
  readonly proxyMode: ProxyMode;
  /** Runs a command with the node's network; a failing command does not throw. */
  exec(args: readonly string[], options?: ExecOptions): Promise<CommandResult>;
}

/** A running cluster. */
export interface Cluster {
  readonly name: string;
  /** URL of the API server, the same from this process, from every node and from every pod of every cluster. */
  readonly server: string;
  readonly caPem: string;
  /** Kubeconfig of a cluster administrator; its only context is the cluster's name. */
  readonly kubeconfigPath: string;
  readonly podCidr: string;
  readonly serviceCidr: string;
  readonly nodes: readonly BedNode[];
  readonly logsFolder: string;
  /** Audit log in JSON lines, when the cluster was asked for one. */
  readonly auditLogPath?: string;
  /** Runs a command in a pod through the API server; a failing command does not throw. */
  execInPod(
    target: PodTarget,
    args: readonly string[],
    options?: ExecOptions,
  ): Promise<CommandResult>;
  /**
   * One of the cluster's processes, to pause, kill or start again: `kube-apiserver`, `kube-controller-manager`,
   * `kube-scheduler`, or with a node's name `kubelet`, `kube-proxy`, `containerd`, `coredns`.
   * @throws Error if there is no such process.
   */
  process(component: string, nodeName?: string): ProcessControl;
  /** Waits until the API server answers that it is ready. */
  waitForApi(timeoutMs?: number): Promise<void>;
}

/** How `down` leaves things. */
export interface DownOptions {
  /** Keeps the component logs and tells where. */
  readonly keepLogs?: boolean;
}

/** A running bed. */
export interface Bed {
  readonly provider: Provider["name"];
  /** Names the bed for `attachBed`, also from another process. */
  readonly id: string;
  readonly clusters: ReadonlyMap<string, Cluster>;
  /** Kubeconfig with a context per cluster. */
  readonly kubeconfigPath: string;
  readonly logsFolder: string;
  /** The first three bytes of the addresses that Services of type LoadBalancer get. */
  readonly loadBalancerPrefix: string;
  /** The cluster of that name. @throws Error if the bed has none. */
  cluster(name: string): Cluster;
  /** Removes everything the bed made; safe to call twice. Resolves to the folder of the logs that were kept, if any. */
  down(options?: DownOptions): Promise<string | undefined>;
}

/** A way to get clusters. */
export interface Provider {
  readonly name: "local" | "kind";
  /** @throws Error if the bed cannot be brought up; what was already up is gone by then. */
  up(options: BedOptions): Promise<Bed>;
}

/** The cluster of that name, for every provider's `cluster`. @throws Error if there is none. */
export function clusterNamed(clusters: ReadonlyMap<string, Cluster>, name: string): Cluster {
  const cluster = clusters.get(name);
  if (!cluster)
    throw new Error(`the bed has no cluster ${name}, only ${[...clusters.keys()].join(", ")}`);
  return cluster;
}

/** kube-proxy's mode on a cluster's node of that number, counted from 0. */
export function proxyModeOf({ proxyMode = "nftables" }: ClusterSpec, node: number): ProxyMode {
  return typeof proxyMode === "string" ? proxyMode : (proxyMode[node] ?? "nftables");
}
