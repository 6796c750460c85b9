import { ANNOTATIONS } from "../../api/names.ts";
import type { KubeObject } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import type { ClusterSpec } from "../bed/bed.ts";
import { applyObjects } from "../workload/apply-objects.ts";
import { webServer } from "../workload/web-server.ts";
import { link } from "./link-command.ts";
import { createNamespaces, type Member, startJoinedSystem, type System } from "./system.ts";

export const NAMESPACE = "shop";
/** Short for tests; what it delays is only the return to a better cluster, and active mode. */
const FAILBACK_AFTER = "2s";

/** East, which fails over, has nodes of both proxy modes and Services of both address families. */
const EAST: ClusterSpec = {
  name: "east",
  nodes: 2,
  proxyMode: ["nftables", "iptables"],
  dualStack: true,
};
const CLUSTERS: readonly ClusterSpec[] = [
  EAST,
  { name: "west", nodes: 1 },
  { name: "north", nodes: 1 },
];

/** A probe, a change of the EndpointSlices and a sync of kube-proxy fit in, twice. */
const DRAIN_MS = 4000;
/** What a Service of another name fails over to: the targets written out. */
const ELSEWHERE = `west/${NAMESPACE}/web,north/${NAMESPACE}/web`;
const HTTP = { name: "http", port: 80, targetPort: 8080 };
/** Services without pods in east and in west that fail over to each other. */
export const LOOPS = ["loop", "ring"] as const;

/** Three joined clusters with Services that fail over: east to west and north, and some of west to east. */
export async function startFailoverWorld(onProgress?: (line: string) => void): Promise<System> {
  const system = await startJoinedSystem({
    clusters: CLUSTERS,
    joins: [
      { provider: "west", consumer: "east" },
      { provider: "north", consumer: "east" },
      { provider: "east", consumer: "west" },
    ],
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  const east = system.member("east");
  const west = system.member("west");
  const north = system.member("north");
  await createNamespaces([east, west, north], NAMESPACE);
  await Promise.all([
    makeProvider(system, west, { http: 8000, admin: 8001 }),
    makeProvider(system, north, { http: 7000, admin: 7001 }),
    makeConsumer(system, east),
    applyObjects(east.client, loops("west")),
    applyObjects(west.client, loops("east")),
  ]);
  return system;
}

/** Web of a provider: its ports have east's names, and numbers of their own. */
async function makeProvider(
  system: System,
  { name: cluster, client }: Member,
  { http, admin }: { http: number; admin: number },
): Promise<void> {
  await applyObjects(
    client,
    webServer({
      namespace: NAMESPACE,
      name: "web",
      cluster,
      image: system.image,
      ports: [
        { name: "http", port: http, targetPort: http + 1000 },
        { name: "admin", port: admin, targetPort: admin + 1000 },
      ],
    }),
  );
  await link(system.bed, "export", "svc/web", "-n", NAMESPACE, "--context", cluster);
}

async function makeConsumer(system: System, { client, cluster }: Member): Promise<void> {
  const [deployment, web] = webServer({
    namespace: NAMESPACE,
    name: "web",
    cluster: "east",
    image: system.image,
    drainMs: DRAIN_MS,
    ports: [HTTP, { name: "admin", port: 81, targetPort: 8081 }],
    ...(cluster.nodes[0] === undefined ? {} : { nodeName: cluster.nodes[0].name }),
  });
  if (deployment === undefined || web === undefined)
    throw new Error("a web server has two objects");
  await Promise.all(cluster.nodes.map(({ name }) => setZone(client, name)));
  await applyObjects(client, [
    deployment,
    withFailover(
      web,
      { ipFamilyPolicy: "RequireDualStack" },
      { [ANNOTATIONS.failover]: "west,north" },
    ),
    service("sticky", { sessionAffinity: "ClientIP" }),
    service(
      "renamed",
      { ports: [{ ...HTTP, name: "main" }] },
      { [ANNOTATIONS.failoverPorts]: "main=http" },
    ),
    service("near", { trafficDistribution: "PreferClose" }),
    service("edge", { type: "NodePort", externalTrafficPolicy: "Local" }),
    service("here", { internalTrafficPolicy: "Local" }),
    service(
      "brisk",
      {},
      {
        [ANNOTATIONS.failoverMode]: "active",
        [ANNOTATIONS.failoverActivateAfter]: "1s",
      },
    ),
    service("alias", { selector: {} }),
    service("mine", { selector: {} }),
  ]);
}

function loops(target: string): KubeObject[] {
  const modes = { loop: "standby", ring: "active" };
  return LOOPS.map((name) =>
    service(
      name,
      { selector: {} },
      {
        [ANNOTATIONS.export]: "true",
        [ANNOTATIONS.failover]: target,
        [ANNOTATIONS.failoverMode]: modes[name],
        [ANNOTATIONS.failoverActivateAfter]: "0s",
      },
    ),
  );
}

/** A Service in front of the pods of web, with one port, that fails over to the web of other clusters. */
export function service(
  name: string,
  spec: Record<string, unknown> = {},
  annotations: Record<string, string> = {},
): KubeObject {
  const object = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { namespace: NAMESPACE, name },
    spec: { selector: { app: "web" }, ports: [HTTP] },
  };
  return withFailover(object, spec, { [ANNOTATIONS.failover]: ELSEWHERE, ...annotations });
}

function withFailover(
  object: KubeObject & { spec?: object },
  spec: Record<string, unknown>,
  annotations: Record<string, string>,
): KubeObject {
  const failback = { [ANNOTATIONS.failoverFailbackAfter]: FAILBACK_AFTER };
  const changed = {
    ...object,
    metadata: { ...object.metadata, annotations: { ...failback, ...annotations } },
    spec: { ...object.spec, ...spec },
  };
  return changed;
}

/** Each node in a zone of its own. */
async function setZone(client: Member["client"], node: string): Promise<void> {
  const labels = { "topology.kubernetes.io/zone": `zone-of-${node}` };
  await client.patch(RESOURCES.nodes, { name: node }, { metadata: { labels } }, { type: "merge" });
}
