import type { Link } from "../../api/link.ts";
import { INSTALL_NAMESPACE } from "../../api/names.ts";
import { RESOURCES } from "../../api/resources.ts";
import { isApiError } from "../../kube/client/api-error.ts";
import { CliError } from "./cli-error.ts";
import type { ClusterAccess } from "./cluster-access.ts";
import { listAll } from "./list-all.ts";
import { linkNotFound } from "./not-found.ts";

/**
 * Every Link of a cluster, by name.
 * @throws CliError when Isthmus is not installed.
 */
export async function listLinks(access: ClusterAccess, signal: AbortSignal): Promise<Link[]> {
  try {
    const query = { namespace: INSTALL_NAMESPACE, signal };
    const links = await listAll<Link>(access, RESOURCES.links, query);
    return links.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  } catch (error) {
    if (!isApiError(error, 404)) throw error;
    throw new CliError(`context ${access.contextName}: Isthmus is not installed there`, {
      fix: `link install --context ${access.contextName}`,
      cause: error,
    });
  }
}

/**
 * The Links that a view is about: the one that is named, or all.
 * @throws CliError when Isthmus is not installed, or there is no Link of that name.
 */
export async function chooseLinks(
  access: ClusterAccess,
  linkName: string | undefined,
  signal: AbortSignal,
): Promise<Link[]> {
  const links = await listLinks(access, signal);
  if (linkName === undefined) return links;
  const chosen = links.filter(({ metadata }) => metadata.name === linkName);
  if (chosen.length > 0) return chosen;
  const known = links.map(({ metadata }) => metadata.name);
  throw linkNotFound(access, linkName, known);
}
