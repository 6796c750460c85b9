import { INSTALL_NAMESPACE } from "../../../api/names.ts";
import type { KubeObject } from "../../../api/objects.ts";
import type { Resource } from "../../../api/resources.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { isMadeByLink } from "../owned-labels.ts";
import type { Reporter } from "../reporter.ts";

/**
 * Removes an object that `link join` made, and says so; one that somebody else
 * made is left, with a warning, and one that is not there is no error.
 * @param name of an object in the install namespace, or of a cluster-scoped one
 * @returns whether it was there
 */
export async function removeIfOurs(
  { client, contextName }: ClusterAccess,
  { resource, name }: { resource: Resource; name: string },
  { reporter, signal }: { reporter: Reporter; signal: AbortSignal },
): Promise<boolean> {
  const key = resource.namespaced ? { namespace: INSTALL_NAMESPACE, name } : { name };
  const found = await client.find<KubeObject>(resource, key, { signal });
  if (found === undefined) return false;
  const title = `${resource.kind} ${name} (context ${contextName})`;
  if (!isMadeByLink(found)) {
    reporter.warn(`${title} was not made by link join and is left`);
    return true;
  }
  const { uid } = found.metadata;
  await client.remove(resource, key, { ...(uid !== undefined && { uid }), signal });
  reporter.done(`removed ${title}`);
  return true;
}
