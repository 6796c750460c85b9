import { type KubeObject, keyOf } from "../../../api/objects.ts";
import { type Resource, RESOURCES } from "../../../api/resources.ts";
import { isApiError } from "../../../kube/client/api-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { listAll } from "../list-all.ts";
import type { Manifest } from "./manifests.ts";

const OWN_PREFIX = "isthmus";
const PART_OF = "app.kubernetes.io/part-of";

/**
 * Kinds of which manifests have no objects, or whose objects others make and
 * label like what they make them for; the Namespace and the definitions of
 * kinds come last of all and are removed apart.
 */
const NOT_APPLIED: ReadonlySet<Resource> = new Set([
  RESOURCES.namespaces,
  RESOURCES.customResourceDefinitions,
  RESOURCES.links,
  RESOURCES.peers,
  RESOURCES.pods,
  RESOURCES.nodes,
  RESOURCES.events,
  RESOURCES.leases,
  RESOURCES.endpoints,
  RESOURCES.endpointSlices,
]);

/** Whether an object bears the label and the name of what Isthmus consists of. */
export function isPartOfIsthmus({ metadata }: KubeObject): boolean {
  return metadata.labels?.[PART_OF] === OWN_PREFIX && metadata.name.startsWith(OWN_PREFIX);
}

/**
 * What was applied to a cluster for Isthmus, in every namespace, and what
 * `link join` made there: found by label, so by whatever tool it was applied.
 */
export async function ownObjects(access: ClusterAccess, signal: AbortSignal): Promise<Manifest[]> {
  const kinds = Object.values(RESOURCES).filter((resource) => !NOT_APPLIED.has(resource));
  const labelSelector = `${PART_OF}=${OWN_PREFIX}`;
  const lists = await Promise.all(
    kinds.map(async (resource) => {
      const objects = await listKnown(access, resource, { labelSelector, signal });
      return objects.filter(isPartOfIsthmus).map((object) => ({ resource, object }));
    }),
  );
  return lists.flat();
}

/** Lists objects of a kind; none where the cluster does not know the kind. */
export async function listKnown(
  access: ClusterAccess,
  resource: Resource,
  query: Parameters<typeof listAll>[2],
): Promise<KubeObject[]> {
  try {
    return await listAll<KubeObject>(access, resource, query);
  } catch (error) {
    if (isApiError(error, 404)) return [];
    throw error;
  }
}

/** An object as people name it: `Deployment isthmus-system/isthmus-gateway`. */
export function titleOf({ resource, object }: Manifest): string {
  return `${resource.kind} ${keyOf(object)}`;
}
