import { LABELS, MANAGED_BY } from "../../../api/names.ts";
import { type KubeObject, keyOf } from "../../../api/objects.ts";
import { isOurs } from "../../../api/ownership.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { OwnObject } from "../../../controller/mirror/mirror-writer/own-objects.ts";
import { isApiError } from "../../../kube/client/api-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { listAll } from "../list-all.ts";

/**
 * Everything in the cluster that belongs to a Link's mirrors, by the rule of the controller.
 * @param linkName undefined for those of every Link, also of one that is gone
 */
export async function mirrorObjectsOf(
  access: ClusterAccess,
  linkName: string | undefined,
  signal: AbortSignal,
): Promise<OwnObject[]> {
  const ofLink = linkName === undefined ? LABELS.link : `${LABELS.link}=${linkName}`;
  const labelSelector = `${LABELS.managedBy}=${MANAGED_BY},${ofLink}`;
  const kinds = [RESOURCES.services, RESOURCES.endpointSlices, RESOURCES.endpoints];
  const lists = await Promise.all(
    kinds.map(async (resource) => {
      const items = await listAll<KubeObject>(access, resource, { labelSelector, signal });
      return items.filter(isOurs).map((object) => ({ resource, object }));
    }),
  );
  return lists.flat();
}

/** Deletes an object as it was seen; one that is gone, or another by now, is left. */
export async function removeMirrorObject(
  { client }: ClusterAccess,
  { resource, object }: OwnObject,
  signal: AbortSignal,
): Promise<void> {
  const { name, namespace, uid } = object.metadata;
  const key = { name, ...(namespace !== undefined && { namespace }) };
  try {
    await client.remove(resource, key, { ...(uid !== undefined && { uid }), signal });
  } catch (error) {
    if (!isApiError(error, "Conflict")) throw error;
  }
}

/** Whether it is being deleted and finalizers of others keep it. */
export function isHeld({ object }: OwnObject): boolean {
  const { deletionTimestamp, finalizers = [] } = object.metadata;
  return deletionTimestamp !== undefined && finalizers.length > 0;
}

/** Such as `Service shop/web-west, which the finalizer example.com/keep holds`. */
export function describeOwnObject(own: OwnObject): string {
  const title = `${own.resource.kind} ${keyOf(own.object)}`;
  if (!isHeld(own)) return title;
  return `${title}, which the finalizer ${(own.object.metadata.finalizers ?? []).join(", ")} holds`;
}
