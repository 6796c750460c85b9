import { GATEWAY_NAME, INGRESS_PORT, INSTALL_NAMESPACE, LABELS } from "../../../api/names.ts";
import { type KubeObject, keyOf, type Pod, type Service } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { CliError } from "../cli-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { listAll } from "../list-all.ts";
import type { GatewayEndpoint } from "./consumer-objects.ts";

/** No more than a Link may name (spec.gateway.addresses). */
const MAX_ADDRESSES = 16;

/** How the consumers of a cluster reach its gateway. */
export interface FoundGateway {
  /** `loadBalancer` also where the address is still awaited: then there are no addresses. */
  readonly by: "loadBalancer" | "nodePort" | "hostPort";
  readonly addresses: readonly string[];
  readonly port: number;
}

/** As much of a Node as tells whether and where it is reached. */
export interface Node extends KubeObject {
  status?: {
    addresses?: { type: string; address: string }[];
    conditions?: { type: string; status: string }[];
  };
}

/** As much of the gateway's Deployment as tells on which port of a node it listens. */
export interface GatewayDeployment extends KubeObject {
  spec?: {
    template?: {
      spec?: { containers?: { ports?: { containerPort: number; hostPort?: number }[] }[] };
    };
  };
}

/** What a cluster says of its gateway. */
export interface GatewayObjects {
  readonly service: Service;
  readonly deployment: GatewayDeployment | undefined;
  readonly pods: readonly Pod[];
  readonly nodes: readonly Node[];
}

/**
 * Finds out how the gateway of a cluster is reached from outside it: by the
 * load balancer of its Service, by a port that its pods have on their nodes,
 * or by a port that its Service has on every node, the first of these there is.
 * @throws CliError when the Service is missing, or nothing leads in from outside.
 */
export async function findGateway(
  access: Pick<ClusterAccess, "client" | "contextName">,
  signal: AbortSignal,
): Promise<FoundGateway> {
  const { client, contextName } = access;
  const key = { namespace: INSTALL_NAMESPACE, name: GATEWAY_NAME };
  const service = await client.find<Service>(RESOURCES.services, key, { signal });
  if (service === undefined) {
    throw new CliError(`context ${contextName}: Service ${key.namespace}/${key.name} is missing`, {
      fix: `link install --context ${contextName}`,
    });
  }
  const balanced = byLoadBalancer(service);
  // Nodes are asked for only where they matter: not everybody may list them.
  if (balanced !== undefined && balanced.addresses.length > 0) return balanced;
  const selector = {
    namespace: INSTALL_NAMESPACE,
    labelSelector: `${LABELS.name}=${GATEWAY_NAME}`,
  };
  const [deployment, pods, nodes] = await Promise.all([
    client.find<GatewayDeployment>(RESOURCES.deployments, key, { signal }),
    listAll<Pod>(access, RESOURCES.pods, { ...selector, signal }),
    listAll<Node>(access, RESOURCES.nodes, { signal }),
  ]);
  return locateGateway({ service, deployment, pods, nodes }, contextName);
}

/**
 * The decision of {@link findGateway}, from what the cluster says.
 * @throws CliError when nothing leads in from outside.
 */
export function locateGateway(objects: GatewayObjects, contextName: string): FoundGateway {
  const { service } = objects;
  const balanced = byLoadBalancer(service);
  if (balanced !== undefined && balanced.addresses.length > 0) return balanced;
  const found = byHostPort(objects) ?? byNodePort(objects) ?? balanced;
  const title = `context ${contextName}: Service ${keyOf(service)}`;
  if (found === undefined) {
    throw new CliError(
      `${title} is of type ${service.spec?.type ?? "ClusterIP"} and its pods have no hostPort, so that nothing leads to the gateway from outside the cluster`,
      {
        fix: `name its addresses with --gateway-address, or: link upgrade --context ${contextName} --components nodeport`,
      },
    );
  }
  if (found.by !== "loadBalancer" && found.addresses.length === 0) {
    throw new CliError(
      found.by === "hostPort"
        ? `context ${contextName}: no gateway pod runs on a Ready node with an address, and only the nodes of these pods lead to the gateway`
        : `${title} is of type NodePort, and no Ready node that leads to it has an address`,
      {
        fix: `see why: kubectl --context ${contextName} get nodes -o wide; kubectl --context ${contextName} -n ${INSTALL_NAMESPACE} get pods -o wide`,
      },
    );
  }
  return found;
}

/** What a Link says of such a gateway: nothing where it is to follow the provider's Service. */
export function endpointForLink({ by, addresses, port }: FoundGateway): GatewayEndpoint {
  return by === "loadBalancer" ? {} : { addresses, port };
}

function byLoadBalancer({ spec, status }: Service): FoundGateway | undefined {
  if (spec?.type !== "LoadBalancer") return undefined;
  const addresses = (status?.loadBalancer?.ingress ?? [])
    .map(({ ip, hostname }) => ip ?? hostname ?? "")
    .filter((address) => address !== "");
  const port = ingressPort({ spec })?.port ?? INGRESS_PORT;
  return { by: "loadBalancer", addresses: addresses.slice(0, MAX_ADDRESSES), port };
}

function byHostPort({ deployment, pods, nodes }: GatewayObjects): FoundGateway | undefined {
  const ports = (deployment?.spec?.template?.spec?.containers ?? []).flatMap(
    (container) => container.ports ?? [],
  );
  const port = ports.find(({ containerPort }) => containerPort === INGRESS_PORT)?.hostPort;
  if (port === undefined) return undefined;
  return { by: "hostPort", addresses: addressesOf(nodes, nodesOf(pods)), port };
}

function byNodePort({ service, pods, nodes }: GatewayObjects): FoundGateway | undefined {
  const port = ingressPort(service)?.nodePort;
  if (service.spec?.type !== "NodePort" || port === undefined) return undefined;
  const withPods = nodesOf(pods);
  const names = new Set(nodes.map(({ metadata }) => metadata.name));
  // With `Local` a node without a pod drops what comes; otherwise it costs one more hop.
  const leading =
    service.spec.externalTrafficPolicy === "Local" ? withPods : new Set([...withPods, ...names]);
  return { by: "nodePort", addresses: addressesOf(nodes, leading), port };
}

/** The port of the ingress among those of the gateway's Service, as the controller picks it. */
function ingressPort({ spec }: Pick<Service, "spec">) {
  const ports = spec?.ports ?? [];
  return ports.find(({ port }) => port === INGRESS_PORT) ?? ports[0];
}

/** The nodes that run a gateway pod, those of ready pods first, by name. */
function nodesOf(pods: readonly Pod[]): Set<string> {
  const living = pods.filter(
    ({ metadata, status }) =>
      metadata.deletionTimestamp === undefined &&
      status?.phase !== "Failed" &&
      status?.phase !== "Succeeded",
  );
  return new Set([...nodeNames(living.filter(isReady)), ...nodeNames(living)]);
}

function nodeNames(pods: readonly Pod[]): string[] {
  return pods.flatMap(({ spec }) => spec?.nodeName ?? []).toSorted();
}

/** One address of each named node that is Ready, in the order of the names. */
function addressesOf(nodes: readonly Node[], names: ReadonlySet<string>): string[] {
  const byName = new Map(nodes.filter(isReady).map((node) => [node.metadata.name, node]));
  return [...names].flatMap((name) => addressOf(byName.get(name)) ?? []).slice(0, MAX_ADDRESSES);
}

/** Whether a Node or a Pod says that it is Ready and is not going away. */
function isReady({ metadata, status }: Node | Pod): boolean {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  return ready?.status === "True" && metadata.deletionTimestamp === undefined;
}

/** Other clusters reach a node by its external address; on bare metal it has only the internal one. */
function addressOf(node: Node | undefined): string | undefined {
  const addresses = node?.status?.addresses ?? [];
  for (const wanted of ["ExternalIP", "InternalIP"]) {
    const found = addresses.find(({ type }) => type === wanted);
    if (found !== undefined) return found.address;
  }
  return undefined;
}
