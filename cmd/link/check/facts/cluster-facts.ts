import type { Link } from "../../../../api/link.ts";
import {
  CA_SECRET_NAME,
  CONFIG_MAP_NAME,
  CONTROLLER_NAME,
  GATEWAY_NAME,
  GATEWAY_TLS_SECRET_NAME,
  IDENTITY_CONFIG_MAP_NAME,
  INSTALL_NAMESPACE,
  LEADER_LEASE_NAME,
} from "../../../../api/names.ts";
import type { ConfigMap, KubeObject, Namespace, Secret, Service } from "../../../../api/objects.ts";
import type { Peer } from "../../../../api/peer.ts";
import { type Resource, RESOURCES } from "../../../../api/resources.ts";
import type { Lease } from "../../../../kube/elector/lease.ts";
import type { ClusterAccess } from "../../cluster-access.ts";
import { lookAtRollout } from "../../install/rollout.ts";
import { listAll } from "../../list-all.ts";
import { type Fact, lookUp } from "../fact.ts";

/** What `GET /version` says. */
export interface KubeVersion {
  readonly gitVersion: string;
  readonly major: number;
  readonly minor: number;
}

export interface NodeFacts extends KubeObject {
  spec?: { unschedulable?: boolean };
  status?: {
    nodeInfo?: { operatingSystem?: string; architecture?: string; kubeletVersion?: string };
    conditions?: { type: string; status: string }[];
  };
}

export interface DefinitionFacts extends KubeObject {
  status?: { conditions?: { type: string; status: string; message?: string }[] };
}

/** As much of a Deployment's pods as the probe's pods take over from them. */
export interface PodTemplateSpec {
  imagePullSecrets?: { name: string }[];
  nodeSelector?: Record<string, string>;
  tolerations?: Record<string, unknown>[];
  containers?: { name: string; image?: string; imagePullPolicy?: string }[];
}

export interface WorkloadFacts {
  readonly name: string;
  /** Undefined where the Deployment is missing. */
  readonly deployment:
    | (KubeObject & { spec?: { template?: { spec?: PodTemplateSpec } } })
    | undefined;
  /** Undefined where it is rolled out. */
  readonly trouble: string | undefined;
}

/** What of a cluster every check starts from. */
export interface ClusterFacts {
  readonly context: string;
  /** This machine's clock when it was looked at. */
  readonly nowMs: number;
  readonly version: Fact<KubeVersion>;
  /** `group/version` of each group; the core group is `v1`. */
  readonly groupVersions: Fact<readonly string[]>;
  readonly nodes: Fact<readonly NodeFacts[]>;
  /** The kubelets renew theirs every few seconds, by their own clocks. */
  readonly nodeLeases: Fact<readonly Lease[]>;
  readonly namespace: Fact<Namespace | undefined>;
  readonly definitions: Fact<readonly (DefinitionFacts | undefined)[]>;
}

/** What of an installation the checks start from. */
export interface InstallationFacts {
  readonly config: Fact<ConfigMap | undefined>;
  readonly identity: Fact<ConfigMap | undefined>;
  readonly links: Fact<readonly Link[]>;
  readonly peers: Fact<readonly Peer[]>;
  readonly workloads: Fact<readonly WorkloadFacts[]>;
  readonly lease: Fact<Lease | undefined>;
  readonly gatewayService: Fact<Service | undefined>;
  readonly authority: Fact<Secret | undefined>;
  readonly leaf: Fact<Secret | undefined>;
}

export const DEFINITION_NAMES: readonly string[] = [RESOURCES.links, RESOURCES.peers].map(
  ({ plural, group }) => `${plural}.${group}`,
);

const NODE_LEASE_NAMESPACE = "kube-node-lease";

/** Reads what every check starts from, each part within its own time. */
export async function gatherCluster(
  { client, contextName }: ClusterAccess,
  nowMs: () => number,
  signal: AbortSignal,
): Promise<ClusterFacts> {
  const look = <T>(read: (limited: AbortSignal) => Promise<T>) => lookUp(signal, read);
  const [version, groupVersions, nodes, nodeLeases, namespace, definitions] = await Promise.all([
    look(async (limited) => {
      const answer = await client.request<Record<"gitVersion" | "major" | "minor", string>>({
        method: "GET",
        path: "/version",
        signal: limited,
      });
      // Managed clusters have minors such as "29+".
      const minor = Number.parseInt(answer.minor, 10);
      return { gitVersion: answer.gitVersion, major: Number.parseInt(answer.major, 10), minor };
    }),
    look(async (limited) => {
      const { groups = [] } = await client.request<{
        groups?: { versions?: { groupVersion: string }[] }[];
      }>({ method: "GET", path: "/apis", signal: limited });
      const named = groups.flatMap(({ versions = [] }) => versions);
      return ["v1", ...named.map(({ groupVersion }) => groupVersion)];
    }),
    look(
      async (limited) => await listAll<NodeFacts>({ client }, RESOURCES.nodes, { signal: limited }),
    ),
    look(async (limited) => {
      const inNodeLeases = { namespace: NODE_LEASE_NAMESPACE, signal: limited };
      return await listAll<Lease>({ client }, RESOURCES.leases, inNodeLeases);
    }),
    look(async (limited) => {
      const key = { name: INSTALL_NAMESPACE };
      return await client.find<Namespace>(RESOURCES.namespaces, key, { signal: limited });
    }),
    look(async (limited) => {
      const find = async (name: string) =>
        await client.find<DefinitionFacts>(
          RESOURCES.customResourceDefinitions,
          { name },
          { signal: limited },
        );
      return await Promise.all(DEFINITION_NAMES.map(find));
    }),
  ]);
  const now = nowMs();
  const cluster = { version, groupVersions, nodes, nodeLeases, namespace, definitions };
  return { context: contextName, nowMs: now, ...cluster };
}

/** Reads what is installed, each part within its own time. */
export async function gatherInstallation(
  access: ClusterAccess,
  signal: AbortSignal,
): Promise<InstallationFacts> {
  const { client } = access;
  const find = <T extends KubeObject>(resource: Resource, name: string) =>
    lookUp(signal, async (limited) => {
      const key = { namespace: INSTALL_NAMESPACE, name };
      return await client.find<T>(resource, key, { signal: limited });
    });
  const list = <T extends KubeObject>(resource: Resource) =>
    lookUp(signal, async (limited) => {
      return await listAll<T>(access, resource, { namespace: INSTALL_NAMESPACE, signal: limited });
    });
  const [config, identity, links, peers, workloads, lease, gatewayService, authority, leaf] =
    await Promise.all([
      find<ConfigMap>(RESOURCES.configMaps, CONFIG_MAP_NAME),
      find<ConfigMap>(RESOURCES.configMaps, IDENTITY_CONFIG_MAP_NAME),
      list<Link>(RESOURCES.links),
      list<Peer>(RESOURCES.peers),
      lookUp(signal, async (limited) =>
        Promise.all([CONTROLLER_NAME, GATEWAY_NAME].map((name) => workload(access, name, limited))),
      ),
      find<Lease>(RESOURCES.leases, LEADER_LEASE_NAME),
      find<Service>(RESOURCES.services, GATEWAY_NAME),
      find<Secret>(RESOURCES.secrets, CA_SECRET_NAME),
      find<Secret>(RESOURCES.secrets, GATEWAY_TLS_SECRET_NAME),
    ]);
  const objects = { config, identity, links, peers, workloads };
  return { ...objects, lease, gatewayService, authority, leaf };
}

async function workload(
  { client }: ClusterAccess,
  name: string,
  signal: AbortSignal,
): Promise<WorkloadFacts> {
  const key = { namespace: INSTALL_NAMESPACE, name };
  const deployment = await client.find<KubeObject>(RESOURCES.deployments, key, { signal });
  if (deployment === undefined) return { name, deployment, trouble: "it is not there" };
  const sighting = await lookAtRollout(client, name, signal);
  return { name, deployment, trouble: "missing" in sighting ? sighting.missing : undefined };
}
