import type { KubeObject } from "../../api/objects.ts";
import type { Resource } from "../../api/resources.ts";
import type { ClusterAccess } from "./cluster-access.ts";

const PAGE_SIZE = 500;

/** Lists objects of a kind, page by page. */
export async function listAll<T extends KubeObject>(
  { client }: Pick<ClusterAccess, "client">,
  resource: Resource,
  flags: {
    namespace?: string;
    labelSelector?: string;
    fieldSelector?: string;
    signal: AbortSignal;
  },
): Promise<T[]> {
  const items: T[] = [];
  let continueToken: string | undefined;
  do {
    const page = await client.list<T>(resource, {
      ...flags,
      limit: PAGE_SIZE,
      ...(continueToken !== undefined && { continueToken }),
    });
    items.push(...page.items);
    ({ continueToken } = page);
  } while (continueToken !== undefined);
  return items;
}
