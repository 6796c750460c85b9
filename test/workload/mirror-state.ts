import { ANNOTATIONS, LABELS } from "../../api/names.ts";
import type { EndpointSlice, Service } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import type { KubeClient } from "../../kube/client/client.ts";

/** The EndpointSlices of one Service. */
export async function slicesOf(
  client: Pick<KubeClient, "list">,
  { namespace, name }: { namespace: string; name: string },
): Promise<EndpointSlice[]> {
  const { items } = await client.list<EndpointSlice>(RESOURCES.endpointSlices, {
    namespace,
    labelSelector: `${LABELS.serviceName}=${name}`,
  });
  return items;
}

/**
 * Whether a mirror is closed in all its objects: it says so, and no endpoint
 * of its slices is ready. Those it has are for the egress gateways to refuse (docs/adr/0009).
 */
export function isClosed(slices: readonly EndpointSlice[], { metadata }: Service): boolean {
  return (
    metadata.annotations?.[ANNOTATIONS.state] === "closed" && readyAddresses(slices).length === 0
  );
}

/** The addresses of the endpoints that are ready, of all slices. */
export function readyAddresses(slices: readonly EndpointSlice[]): string[] {
  return slices
    .flatMap(({ endpoints }) => endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready === true)
    .flatMap(({ addresses }) => addresses);
}
