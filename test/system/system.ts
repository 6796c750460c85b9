import type { KubeConfig } from "@kubernetes/client-node";
import { bundle } from "../../cmd/build/bundle.ts";
import { buildImage } from "../../cmd/build/image.ts";
import { RESOURCES } from "../../api/resources.ts";
import { createKubeClient, type KubeClient } from "../../kube/client/client.ts";
import { loadKubeconfig } from "../../kube/kubeconfig/kubeconfig.ts";
import type { Bed, Cluster, ClusterSpec, DownOptions, Provider } from "../bed/bed.ts";
import { localProvider } from "../bed/local.ts";
import { Caller, type CallerOptions } from "../workload/caller.ts";
import { Load } from "../workload/load.ts";
import { link } from "./link-command.ts";

/** A cluster of the system, with an administrator's access to it. */
export interface Member {
  readonly name: string;
  readonly cluster: Cluster;
  readonly client: KubeClient;
  readonly kubeConfig: KubeConfig;
}

/** Clusters with nodes that can run the product's image. */
export interface System {
  readonly bed: Bed;
  /** Reference of the product's image, which also runs the workloads. */
  readonly image: string;
  member(name: string): Member;
  /** Lets go of the clusters and leaves them up. */
  release(): Promise<void>;
  /** @returns the folder of the logs, when they were kept. */
  down(options?: DownOptions): Promise<string | undefined>;
}

/** A link: the consumer calls what the provider exports. */
export interface Join {
  readonly provider: string;
  readonly consumer: string;
}

export interface SystemOptions {
  readonly clusters?: readonly ClusterSpec[];
  readonly provider?: Provider;
  readonly detached?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (line: string) => void;
}

const TWO_CLUSTERS: readonly ClusterSpec[] = [
  { name: "west", nodes: 1 },
  { name: "east", nodes: 1 },
];

/** Builds the product and brings up clusters that have its image; nothing is installed yet. */
export async function startSystem(options: SystemOptions = {}): Promise<System> {
  const {
    clusters = TWO_CLUSTERS,
    provider = localProvider,
    onProgress,
    signal,
    detached,
  } = options;
  onProgress?.("building bundles and image");
  await bundle();
  const image = await buildImage();
  const bed = await provider.up({
    clusters,
    images: [image.path],
    ...(signal === undefined ? {} : { signal }),
    ...(detached === undefined ? {} : { detached }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  return systemOn(bed, image.reference);
}

/** The system on a bed that is up and has the product's image. */
export function systemOn(bed: Bed, image: string): System {
  const members = new Map([...bed.clusters].map(([name, cluster]) => [name, memberOf(cluster)]));
  const release = async () => {
    await Promise.all([...members.values()].map(({ client }) => client.close()));
  };
  return {
    bed,
    image,
    member(name) {
      const member = members.get(name);
      if (member === undefined) throw new Error(`the system has no cluster ${name}`);
      return member;
    },
    release,
    async down(downOptions) {
      await release();
      return bed.down(downOptions);
    },
  };
}

/** Installs the product in every cluster, with the command an operator would use. */
export async function installEverywhere(system: System): Promise<void> {
  await Promise.all(
    [...system.bed.clusters.keys()].map((name) =>
      link(system.bed, "install", "--context", name, "--image", system.image),
    ),
  );
}

/**
 * A system whose clusters are joined: east consumes from west, unless told otherwise. What was up is taken down again
 * when a step fails.
 */
export async function startJoinedSystem({
  joins = [{ provider: "west", consumer: "east" }],
  ...options
}: SystemOptions & { joins?: readonly Join[] } = {}): Promise<System> {
  const system = await startSystem(options);
  try {
    options.onProgress?.("installing in every cluster");
    await installEverywhere(system);
    options.onProgress?.("joining");
    await Promise.all(
      joins.map(({ provider, consumer }) =>
        link(system.bed, "join", provider, "--context", consumer),
      ),
    );
    return system;
  } catch (error) {
    const logs = await system.down({ keepLogs: true });
    throw new Error(`the system did not come up; logs: ${logs ?? "none"}`, { cause: error });
  }
}

/** Creates a namespace in each of the clusters. */
export async function createNamespaces(members: readonly Member[], name: string): Promise<void> {
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
  await Promise.all(members.map(({ client }) => client.create(RESOURCES.namespaces, namespace)));
}

/** Starts a caller pod in one of the system's clusters. */
export function startCaller(
  system: System,
  { client, kubeConfig }: Member,
  options: Omit<CallerOptions, "client" | "kubeConfig" | "image">,
): Promise<Caller> {
  return Caller.start({ ...options, client, kubeConfig, image: system.image });
}

/** New connections a second, requests a second over kept ones, long streams. */
export const LOAD = { rate: 200, keptRate: 20, streams: 50 };

/** Starts a load in one of the system's clusters. */
export function startLoad(
  { image }: System,
  { client, kubeConfig }: Member,
  target: { namespace: string; host: string },
  amount: typeof LOAD = LOAD,
): Promise<Load> {
  return Load.start({ ...target, ...amount, name: "load", client, kubeConfig, image });
}

function memberOf(cluster: Cluster): Member {
  const kubeConfig = loadKubeconfig({ path: cluster.kubeconfigPath, context: cluster.name });
  return { name: cluster.name, cluster, kubeConfig, client: createKubeClient(kubeConfig) };
}
