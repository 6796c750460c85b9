import { LABELS } from "../../api/names.ts";
import type { EndpointSlice, Service } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import type { ClusterAccess } from "./cluster-access.ts";
import { listAll } from "./list-all.ts";

/** So many names fit well into the URL of a list. */
const NAMES_PER_LIST = 50;
/** Lists under way at once. */
const CONCURRENT_LISTS = 8;

/** EndpointSlices of these Services, and of no others, by `namespace/name` of the Service. */
export async function listSlicesOf(
  access: Pick<ClusterAccess, "client">,
  services: readonly Service[],
  signal: AbortSignal,
): Promise<Map<string, EndpointSlice[]>> {
  const names = new Map<string, string[]>();
  for (const { metadata } of services) {
    const { namespace = "", name } = metadata;
    names.set(namespace, [...(names.get(namespace) ?? []), name]);
  }
  const lists = [...names].flatMap(([namespace, all]) =>
    Array.from({ length: Math.ceil(all.length / NAMES_PER_LIST) }, (_, page) => ({
      namespace,
      labelSelector: `${LABELS.serviceName} in (${all
        .slice(page * NAMES_PER_LIST, (page + 1) * NAMES_PER_LIST)
        .join(",")})`,
    })),
  );
  const slices = await listEach(lists, async (list) =>
    listAll<EndpointSlice>(access, RESOURCES.endpointSlices, { ...list, signal }),
  );
  return Map.groupBy(
    slices,
    ({ metadata }) => `${metadata.namespace ?? ""}/${metadata.labels?.[LABELS.serviceName] ?? ""}`,
  );
}

/** What all the lists have, a few of them at a time. */
export async function listEach<Q, T>(
  queries: readonly Q[],
  list: (query: Q) => Promise<T[]>,
): Promise<T[]> {
  const found: T[] = [];
  for (let first = 0; first < queries.length; first += CONCURRENT_LISTS) {
    const lists = await Promise.all(queries.slice(first, first + CONCURRENT_LISTS).map(list));
    found.push(...lists.flat());
  }
  return found;
}
