import { ANNOTATIONS, LABELS } from "../../api/names.ts";
import type { EndpointSlice, KubeObject, Service } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import { slicesOf } from "../workload/mirror-state.ts";
import { NAMESPACE } from "./failover-world.ts";
import type { Member } from "./system.ts";

/** Our slices by which a Service of a cluster fails over. */
export async function failoverSlices({ client }: Member, name: string): Promise<EndpointSlice[]> {
  const slices = await slicesOf(client, { namespace: NAMESPACE, name });
  return slices.filter(({ metadata }) => metadata.labels?.[LABELS.failoverFor] === name);
}

/** Whether every Service of a cluster that fails over has endpoints of that link in reserve, or in use. */
export async function isCoveredBy({ client }: Member, link: string): Promise<boolean> {
  const { items } = await client.list<EndpointSlice>(RESOURCES.endpointSlices, {
    namespace: NAMESPACE,
    labelSelector: LABELS.failoverFor,
  });
  return items.every(
    ({ metadata: { labels, annotations } }) =>
      labels?.[LABELS.link] === link && annotations?.[ANNOTATIONS.state] !== "unprotected",
  );
}

/** The reasons of the Events of a Service of a cluster. */
export async function eventReasons(
  { client }: Member,
  name: string,
): Promise<(string | undefined)[]> {
  type Event = KubeObject & { regarding?: { kind?: string; name?: string }; reason?: string };
  const { items } = await client.list<Event>(RESOURCES.events, { namespace: NAMESPACE });
  return items
    .filter(({ regarding }) => regarding?.kind === "Service" && regarding.name === name)
    .map(({ reason }) => reason);
}

/**
 * A slice for a Service as a user would write it, with the address of a ready pod of web.
 * @throws Error when there is none.
 */
export async function userSlice({ client }: Member, name: string): Promise<EndpointSlice> {
  const slices = await slicesOf(client, { namespace: NAMESPACE, name: "web" });
  const own = slices.find(
    ({ addressType, metadata }) =>
      addressType === "IPv4" && metadata.labels?.[LABELS.failoverFor] === undefined,
  );
  const endpoint = own?.endpoints?.find(({ conditions }) => conditions?.ready === true);
  const port = own?.ports?.find(({ name: portName }) => portName === "http");
  if (endpoint === undefined || port === undefined) throw new Error("no pod of web is ready");
  return {
    metadata: {
      namespace: NAMESPACE,
      name: `${name}-of-user`,
      labels: { [LABELS.serviceName]: name },
    },
    addressType: "IPv4",
    endpoints: [{ addresses: endpoint.addresses, conditions: { ready: true } }],
    ports: [port],
  };
}

/** An object as its API server writes it, without what every write changes. */
export function contentOf({ metadata, ...rest }: Service): string {
  const { resourceVersion: _version, managedFields: _fields, ...kept } = metadata;
  return JSON.stringify({ metadata: kept, ...rest });
}
