import { errorMessage } from "../../api/errors.ts";
import { ANNOTATIONS, LABELS, MANAGED_BY } from "../../api/names.ts";
import type { KubeObject, Service } from "../../api/objects.ts";
import { isOurs, sourceOf } from "../../api/ownership.ts";
import { type Resource, RESOURCES } from "../../api/resources.ts";
import type { MirrorState } from "../../test/system/mirror-watch.ts";
import { joinLink } from "../../test/system/links.ts";
import {
  createNamespaces,
  installEverywhere,
  type Member,
  startSystem,
  type System,
  type SystemOptions,
} from "../../test/system/system.ts";
import { applyObjects } from "../../test/workload/apply-objects.ts";
import { webServer } from "../../test/workload/web-server.ts";
import type { ChaosWorld } from "./plan.ts";
import type { FoundMirror, MirrorFact } from "./state-oracle.ts";
import type { CalledMirror } from "./traffic-oracle.ts";

export const CONSUMER = "east";
export const NAMESPACE = "shop";
/** Both providers export Services of the same names, which are the easiest to mix up. */
export const WORLD: ChaosWorld = {
  providers: ["west", "north"],
  services: ["web-1", "web-2", "web-3"],
};

const STRANGERS = "strangers";

/** Every mirror, in the order in which clients know them. */
export const MIRRORS: readonly CalledMirror[] = WORLD.providers.flatMap((provider) =>
  WORLD.services.map((service) => ({
    provider,
    service,
    answer: `hello from ${provider}/${NAMESPACE}/${service}`,
  })),
);

/** URL of a mirror for a pod of the consumer. */
export function urlOf({ provider, service }: CalledMirror): string {
  return `http://${service}-${provider}.${NAMESPACE}.svc.cluster.local/`;
}

/** Brings up the clusters, joined and with Services exported. What was up is taken down when a step fails. */
export async function startWorld(
  options: Pick<SystemOptions, "signal" | "onProgress">,
): Promise<System> {
  const names = [...WORLD.providers, CONSUMER];
  const clusters = names.map((name) => ({ name, nodes: 1 }));
  const system = await startSystem({ ...options, clusters });
  try {
    options.onProgress?.("installing in every cluster");
    await installEverywhere(system);
    for (const provider of WORLD.providers) await joinLink(system, provider, CONSUMER);
    const members = names.map((name) => system.member(name));
    await createNamespaces(members, NAMESPACE);
    await createNamespaces(members, STRANGERS);
    await Promise.all(members.map(({ client }) => makeBystanders(client)));
    for (const { provider, service } of MIRRORS) await exportService(system, provider, service);
    return system;
  } catch (error) {
    const logs = await system.down({ keepLogs: true });
    const why = errorMessage(error);
    throw new Error(`the clusters did not come up: ${why}; logs: ${logs ?? "none"}`, {
      cause: error,
    });
  }
}

async function exportService(system: System, cluster: string, name: string): Promise<void> {
  const { client } = system.member(cluster);
  const path = `/${NAMESPACE}/${name}`;
  const { image } = system;
  await applyObjects(client, webServer({ namespace: NAMESPACE, name, cluster, path, image }));
  const annotations = { [ANNOTATIONS.export]: "true" };
  await client.patch(
    RESOURCES.services,
    { namespace: NAMESPACE, name },
    { metadata: { annotations } },
    { type: "merge" },
  );
}

/** Things of others, some of which look like ours: the labels are there, our field manager is not. */
async function makeBystanders(client: Member["client"]): Promise<void> {
  const looksLikeOurs = { [LABELS.managedBy]: MANAGED_BY, [LABELS.link]: "west" };
  const service = (name: string, labels: Record<string, string> = {}) => ({
    metadata: { namespace: NAMESPACE, name, labels },
    spec: { ports: [{ port: 80 }] },
  });
  await client.create(RESOURCES.services, service("own"));
  await client.create(RESOURCES.services, service("looks-like-west", looksLikeOurs));
  await client.create(RESOURCES.endpointSlices, {
    metadata: {
      namespace: NAMESPACE,
      name: "looks-like-west-ipv4",
      labels: { ...looksLikeOurs, [LABELS.serviceName]: "looks-like-west" },
    },
    addressType: "IPv4",
    endpoints: [],
    ports: [],
  } as KubeObject);
  await client.create(RESOURCES.configMaps, {
    metadata: { namespace: STRANGERS, name: "settings" },
    data: { of: "somebody else" },
  } as KubeObject);
  await client.create(RESOURCES.services, {
    ...service("own", looksLikeOurs),
    metadata: { namespace: STRANGERS, name: "web-1-west", labels: looksLikeOurs },
  });
}

const WATCHED_KINDS: readonly Resource[] = [
  RESOURCES.namespaces,
  RESOURCES.services,
  RESOURCES.endpointSlices,
  RESOURCES.configMaps,
];

/** Resource versions of all objects of others in all clusters; not of what the run itself changes on purpose. */
export async function bystanders(system: System): Promise<Map<string, string>> {
  const versions = new Map<string, string>();
  for (const { name: cluster, client } of membersOf(system)) {
    for (const resource of WATCHED_KINDS) {
      const { items } = await client.list<KubeObject>(resource);
      for (const object of items) {
        const { namespace = "", name, resourceVersion = "" } = object.metadata;
        if (namespace === "isthmus-system" || isActedOn(object)) continue;
        versions.set(`${cluster}: ${resource.kind} ${namespace}/${name}`, resourceVersion);
      }
    }
  }
  return versions;
}

/** Mirrors, and the exported Services with their own slices: the faults are about them. */
function isActedOn(object: KubeObject): boolean {
  const { namespace, name, labels = {} } = object.metadata;
  const service = labels[LABELS.serviceName] ?? name;
  return isOurs(object) || (namespace === NAMESPACE && WORLD.services.includes(service));
}

/** The clusters of the run. */
export function membersOf(system: System): Member[] {
  return [...system.bed.clusters.keys()].map((name) => system.member(name));
}

/** What the consumer should have, by what the providers export now. */
export async function expectedMirrors(system: System): Promise<MirrorFact[]> {
  const facts: MirrorFact[] = [];
  for (const cluster of WORLD.providers) {
    const { items } = await system.member(cluster).client.list<Service>(RESOURCES.services);
    for (const { metadata } of items) {
      if (metadata.annotations?.[ANNOTATIONS.export] !== "true") continue;
      const source = `${cluster}/${metadata.namespace ?? ""}/${metadata.name}`;
      facts.push({ key: `${metadata.namespace ?? ""}/${metadata.name}-${cluster}`, source });
    }
  }
  return facts;
}

/** What the consumer has, with the states that a watch has seen. */
export async function foundMirrors(
  system: System,
  stateOf: (mirror: string) => MirrorState | undefined,
): Promise<FoundMirror[]> {
  const { items } = await system.member(CONSUMER).client.list<Service>(RESOURCES.services);
  return items.filter(isOurs).map((mirror) => {
    const { namespace = "", name } = mirror.metadata;
    const key = `${namespace}/${name}`;
    const { cluster = "", namespace: from = "", name: of = "" } = sourceOf(mirror) ?? {};
    const ports = (mirror.spec?.ports ?? []).map(({ targetPort }) => Number(targetPort));
    const state = stateOf(key) ?? "unknown";
    return { key, source: `${cluster}/${from}/${of}`, state, egressPorts: ports };
  });
}
