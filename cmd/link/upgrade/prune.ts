import { CLI_FIELD_MANAGER } from "../../../api/names.ts";
import type { KubeObject } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import type { Manifest } from "../install/manifests.ts";
import { ownObjects, titleOf } from "../install/own-objects.ts";
import { isMadeByLink } from "../owned-labels.ts";

/**
 * What `link install` or `link upgrade` has applied and the manifests have no
 * more. What joins made is not among it, nor what somebody else applied, nor
 * Secrets: these may hold what cannot be made again.
 */
export async function findSuperfluous(
  access: ClusterAccess,
  manifests: readonly Manifest[],
  signal: AbortSignal,
): Promise<Manifest[]> {
  const wanted = new Set(manifests.map(titleOf));
  const present = await ownObjects(access, signal);
  return present.filter(
    (item) =>
      !wanted.has(titleOf(item)) &&
      item.resource !== RESOURCES.secrets &&
      !isMadeByLink(item.object) &&
      isAppliedByUs(item.object),
  );
}

function isAppliedByUs({ metadata }: KubeObject): boolean {
  return (metadata.managedFields ?? []).some(
    ({ manager, operation }) => manager === CLI_FIELD_MANAGER && operation === "Apply",
  );
}
