import { keyOf, type KubeObject } from "../../api/objects.ts";
import type { Resource } from "../../api/resources.ts";
import type { KubeClient } from "../../kube/client/client.ts";
import { poll } from "../bed/poll.ts";

/** Every object of a cluster by resource and name, with its content as JSON. */
export type ClusterSnapshot = ReadonlyMap<string, string>;

interface ResourceList {
  readonly resources: readonly {
    readonly name: string;
    readonly kind: string;
    readonly namespaced: boolean;
    readonly verbs: readonly string[];
  }[];
}

interface GroupList {
  readonly groups: readonly {
    readonly name: string;
    readonly preferredVersion: { readonly version: string };
    readonly versions: readonly { readonly version: string }[];
  }[];
}

/** Answered by asking other processes how they are: nothing of it is stored. */
const NOT_STORED = "componentstatuses";
/** Their holders write them every few seconds: only that they exist is compared. */
const HEARTBEATS = "leases.coordination.k8s.io";
/** Of the same objects in both groups. Kubernetes' own, also about what was ours, come and go by themselves. */
const EVENTS = ["events", "events.events.k8s.io"];
/**
 * kube-controller-manager makes an account for each of its controllers when that starts, and each kubelet a Lease when
 * it gets round to it.
 */
const KUBES_OWN =
  /^(?:serviceaccounts kube-system|leases\.coordination\.k8s\.io kube-node-lease)\//;
const OURS = "isthmus";

const SETTLE = { timeoutMs: 30_000, intervalMs: 500 };

/**
 * Reads all objects of all API resources of a cluster, in every namespace: what a cluster is before something is
 * installed in it, or after that has been removed.
 */
export async function takeSnapshot(
  client: Pick<KubeClient, "list" | "request">,
): Promise<ClusterSnapshot> {
  const snapshot = new Map<string, string>();
  for (const resource of await listableResources(client)) {
    const type = typeOf(resource);
    if (type === NOT_STORED) continue;
    const { items } = await client.list<KubeObject>(resource);
    for (const object of items) {
      const name = `${type} ${keyOf(object)}`;
      if (EVENTS.includes(type) && !isOurEvent(object)) continue;
      if (KUBES_OWN.test(name) && !JSON.stringify(object).includes(OURS)) continue;
      snapshot.set(name, type === HEARTBEATS ? "" : contentOf(object));
    }
  }
  return snapshot;
}

/** Like {@link takeSnapshot}, once two in a row are the same: a cluster that has just come up still gets objects. */
export async function takeSettledSnapshot(
  client: Pick<KubeClient, "list" | "request">,
): Promise<ClusterSnapshot> {
  let last = await takeSnapshot(client);
  const settled = async () => {
    const previous = last;
    last = await takeSnapshot(client);
    const changes = differences(previous, last);
    if (changes.length === 0) return last;
    throw new Error(changes.join("\n"));
  };
  return await poll("the cluster has settled", settled, SETTLE);
}

/** What is there only before, only after, or not the same: a line each, none when the cluster is as it was. */
export function differences(before: ClusterSnapshot, after: ClusterSnapshot): string[] {
  const names = [...new Set([...before.keys(), ...after.keys()])].toSorted();
  return names.flatMap((name) => {
    const [was, is] = [before.get(name), after.get(name)];
    if (was === is) return [];
    if (was === undefined) return `is left: ${name}`;
    if (is === undefined) return `is gone: ${name}`;
    return `has changed: ${name}: ${was} → ${is}`;
  });
}

/** Each resource once, in the version its group prefers, else in one that it has. */
async function listableResources(client: Pick<KubeClient, "request">): Promise<Resource[]> {
  const { groups } = await client.request<GroupList>({ method: "GET", path: "/apis" });
  const versions = groups.flatMap(({ name, preferredVersion, versions: all }) => {
    const others = all.filter(({ version }) => version !== preferredVersion.version);
    return [preferredVersion, ...others].map(({ version }) => ({ group: name, version }));
  });
  const found = new Map<string, Resource>();
  for (const { group, version } of [{ group: "", version: "v1" }, ...versions]) {
    const path = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
    const { resources } = await client.request<ResourceList>({ method: "GET", path });
    for (const { name, kind, namespaced, verbs } of resources) {
      const resource = { group, version, plural: name, kind, namespaced };
      if (!verbs.includes("list") || found.has(typeOf(resource))) continue;
      found.set(typeOf(resource), resource);
    }
  }
  return [...found.values()];
}

/** As kubectl names it: `secrets`, `deployments.apps`. */
function typeOf({ group, plural }: Resource): string {
  return group === "" ? plural : `${plural}.${group}`;
}

/** Whether an Event says that it was reported by us; its groups call that differently. */
function isOurEvent(event: KubeObject): boolean {
  const fields = ["reportingController", "reportingComponent"];
  return fields.some((field) => String(Reflect.get(event, field)).includes(OURS));
}

/** An object without its state, and without what every write changes. */
function contentOf({ metadata, ...rest }: KubeObject): string {
  const { resourceVersion: _version, managedFields: _owners, ...kept } = metadata;
  return JSON.stringify({ metadata: kept, ...rest, status: undefined });
}
