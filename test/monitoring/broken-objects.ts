import { type Link, parseLinkSpec } from "../../api/link.ts";
import {
  ANNOTATIONS,
  CA_ROTATION_ANNOTATIONS,
  CA_SECRET_NAME,
  gatewayIdentity,
  INSTALL_NAMESPACE,
  KUBECONFIG_KEY,
  linkCredentialsSecretName,
} from "../../api/names.ts";
import type { EndpointSlice, KubeObject, Secret, Service } from "../../api/objects.ts";
import type { Peer } from "../../api/peer.ts";
import { type Resource, RESOURCES } from "../../api/resources.ts";
import { poll } from "../bed/poll.ts";
import type { Member } from "../system/system.ts";
import { applyObjects } from "../workload/apply-objects.ts";
import { webServer } from "../workload/web-server.ts";

export const NAMESPACE = "watched";
/** Where no Service may be made in the consumer's cluster. */
const FULL_NAMESPACE = "watched-full";
const QUOTAS: Resource = {
  group: "",
  version: "v1",
  plural: "resourcequotas",
  kind: "ResourceQuota",
  namespaced: true,
};
const HTTP = { name: "http", port: 80, targetPort: 8080 };
/** A port of the web server's pods at which nothing listens. */
const DEAF = { name: "http", port: 80, targetPort: 9 };
/** PEM that holds no certificate: the API server takes it, the gateways do not. */
const NO_CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";

const EXPORTED = { [ANNOTATIONS.export]: "true" };

function service(
  name: string,
  annotations: Record<string, string>,
  spec: Record<string, unknown> = {},
  namespace = NAMESPACE,
): Service {
  return { metadata: { namespace, name, annotations }, spec: { ports: [HTTP], ...spec } };
}

async function create(
  { client }: Member,
  resource: Resource,
  ...objects: readonly KubeObject[]
): Promise<void> {
  await Promise.all(objects.map(async (object) => await client.create(resource, object)));
}

/** Makes the two namespaces in both clusters; in the second no Service can be made at the consumer's. */
export async function makeNamespaces(west: Member, east: Member): Promise<void> {
  const namespaces = [NAMESPACE, FULL_NAMESPACE].map((name) => ({ metadata: { name } }));
  await Promise.all(
    [west, east].map((member) => create(member, RESOURCES.namespaces, ...namespaces)),
  );
  const metadata = { namespace: FULL_NAMESPACE, name: "full" };
  await create(east, QUOTAS, { metadata, spec: { hard: { services: "0" } } } as KubeObject);
}

/** Exports a web server, `web`. */
export async function exportWeb({ client }: Member, image: string): Promise<void> {
  const objects = webServer({ namespace: NAMESPACE, name: "web", cluster: "west", image });
  await applyObjects(client, objects);
  const key = { namespace: NAMESPACE, name: "web" };
  const patch = { metadata: { annotations: EXPORTED } };
  await client.patch(RESOURCES.services, key, patch, { type: "merge" });
}

/**
 * Exports what cannot be mirrored, or not be reached, besides the web server `web`: `deaf`
 * refuses, `empty` has no endpoint, the mirror of `taken` cannot have its name, and that of
 * `crowded` may not be made.
 */
export async function exportBrokenServices(west: Member, east: Member): Promise<void> {
  await create(east, RESOURCES.services, service("taken-west", {}));
  await create(
    west,
    RESOURCES.services,
    service("deaf", EXPORTED, { selector: { app: "web" }, ports: [DEAF] }),
    service("empty", EXPORTED),
    service("taken", EXPORTED),
    service("crowded", EXPORTED, {}, FULL_NAMESPACE),
  );
}

function failoverTo(name: string): Record<string, string> {
  return { [ANNOTATIONS.failover]: `west/${NAMESPACE}/${name}` };
}

/** Services of the consumer: `away` is served by west, `refused` by nobody, and `alone` only by itself. */
export async function askForFailover(east: Member): Promise<void> {
  await create(
    east,
    RESOURCES.services,
    service("away", failoverTo("web")),
    service("refused", failoverTo("empty")),
    service("alone", failoverTo("empty")),
  );
  await giveEndpoint(east, "alone");
}

/** Gives a Service without a selector an endpoint that is ready. */
export async function giveEndpoint(member: Member, name: string): Promise<void> {
  const slice: EndpointSlice = {
    metadata: {
      namespace: NAMESPACE,
      name: `${name}-of-user`,
      labels: { "kubernetes.io/service-name": name },
    },
    addressType: "IPv4",
    endpoints: [{ addresses: ["192.0.2.1"], conditions: { ready: true } }],
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
  };
  await create(member, RESOURCES.endpointSlices, slice);
}

/** What the spec of a Link says of a provider by its name. */
export function providerNamed(clusterName: string, gateway: object = {}): object {
  return { clusterName, gateway: { ...gateway, identity: gatewayIdentity(clusterName) } };
}

/** A Link whose provider is nowhere: neither its API nor its gateway answers at the given address of the consumer's own node. */
export async function linkToNowhere(east: Member, deadAddress: string): Promise<void> {
  const namespace = INSTALL_NAMESPACE;
  const link = await east.client.get<Link>(RESOURCES.links, { namespace, name: "west" });
  const key = { namespace, name: linkCredentialsSecretName("west") };
  const { data = {} } = await east.client.get<Secret>(RESOURCES.secrets, key);
  const text = Buffer.from(data[KUBECONFIG_KEY] ?? "", "base64").toString();
  const elsewhere = text.replace(/server: .*/, `server: https://${deadAddress}:9`);
  await create(east, RESOURCES.secrets, {
    metadata: { namespace, name: "nowhere" },
    data: { [KUBECONFIG_KEY]: Buffer.from(elsewhere).toString("base64") },
  } as Secret);
  const { gateway, ...spec } = parseLinkSpec(link);
  await create(east, RESOURCES.links, {
    metadata: { namespace, name: "nowhere" },
    spec: {
      ...spec,
      ...providerNamed("nowhere", { ...gateway, addresses: [deadAddress], port: 9 }),
      credentialsSecretRef: { name: "nowhere" },
    },
  } as Link);
}

/** Closes the Link west by a wrong name in it, and waits until it is open again with the right one. */
export async function closeAndOpenLink({ client }: Member): Promise<void> {
  const key = { namespace: INSTALL_NAMESPACE, name: "west" };
  for (const [name, ready] of [
    ["east", "False"],
    ["west", "True"],
  ] as const) {
    const patch = { spec: providerNamed(name) };
    await client.patch<Link>(RESOURCES.links, key, patch, { type: "merge" });
    await poll(
      `Link west has Ready ${ready}`,
      async () => {
        const { status } = await client.get<Link>(RESOURCES.links, key);
        const condition = status?.conditions?.find(({ type }) => type === "Ready");
        if (condition?.status === ready) return true;
        throw new Error(JSON.stringify(condition));
      },
      { timeoutMs: 60_000 },
    );
  }
}

/** A Peer that the gateways cannot accept. */
export async function makeBrokenPeer(west: Member): Promise<void> {
  await create(west, RESOURCES.peers, {
    metadata: { namespace: INSTALL_NAMESPACE, name: "broken" },
    spec: { identity: gatewayIdentity("broken"), trustBundle: NO_CERTIFICATE },
  } as Peer);
}

/** Asks for a rotation of a cluster's CA. */
export async function rotateAuthority({ client }: Member): Promise<void> {
  const key = { namespace: INSTALL_NAMESPACE, name: CA_SECRET_NAME };
  const patch = { metadata: { annotations: { [CA_ROTATION_ANNOTATIONS.requested]: "watched" } } };
  await client.patch(RESOURCES.secrets, key, patch, { type: "merge" });
}

/** Takes away what the other functions made, but for what goes with the namespaces. */
export async function removeBrokenObjects(west: Member, east: Member): Promise<void> {
  const namespace = INSTALL_NAMESPACE;
  await Promise.all([
    west.client.remove(RESOURCES.peers, { namespace, name: "broken" }),
    east.client.remove(RESOURCES.links, { namespace, name: "nowhere" }),
    east.client.remove(RESOURCES.secrets, { namespace, name: "nowhere" }),
    ...[west, east].flatMap(({ client }) =>
      [NAMESPACE, FULL_NAMESPACE].map((name) => client.remove(RESOURCES.namespaces, { name })),
    ),
  ]);
}
