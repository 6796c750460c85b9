import { INSTALL_NAMESPACE, LABELS, MANAGED_BY } from "../../../api/names.ts";
import type { KubeObject } from "../../../api/objects.ts";
import { type Resource, RESOURCES } from "../../../api/resources.ts";

/** Objects to gather: all of a resource in a namespace, or those that a selector or a name picks. */
export interface ObjectQuery {
  readonly resource: Resource;
  /** Name of its file, where that of the resource is taken. */
  readonly file?: string;
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly matches?: (object: KubeObject) => boolean;
}

const inSystem = (resource: Resource): ObjectQuery => ({ resource, namespace: INSTALL_NAMESPACE });

const isNamedOurs = ({ metadata }: KubeObject) => metadata.name.startsWith("isthmus-");

const OURS = `${LABELS.managedBy}=${MANAGED_BY}`;

/** Everything that Isthmus is made of and has made in a cluster. */
export const OBJECT_QUERIES: readonly ObjectQuery[] = [
  ...[
    RESOURCES.links,
    RESOURCES.peers,
    RESOURCES.configMaps,
    RESOURCES.secrets,
    RESOURCES.serviceAccounts,
    RESOURCES.deployments,
    RESOURCES.pods,
    RESOURCES.services,
    RESOURCES.endpointSlices,
    RESOURCES.podDisruptionBudgets,
    RESOURCES.networkPolicies,
    RESOURCES.leases,
    RESOURCES.roles,
    RESOURCES.roleBindings,
  ].map(inSystem),
  { resource: RESOURCES.clusterRoles, matches: isNamedOurs },
  { resource: RESOURCES.clusterRoleBindings, matches: isNamedOurs },
  {
    resource: RESOURCES.customResourceDefinitions,
    matches: ({ metadata }) => metadata.name.endsWith(`.${RESOURCES.links.group}`),
  },
  { resource: RESOURCES.services, file: "mirrors", labelSelector: OURS },
  { resource: RESOURCES.endpointSlices, file: "mirror-endpointslices", labelSelector: OURS },
];

/** The namespace's Secrets are read whole, so that their values can be found elsewhere; none of them is kept. */
export const SECRETS_QUERY: ObjectQuery = inSystem(RESOURCES.secrets);

/** Of a node: only what it runs. */
export function nodeOutline(node: KubeObject & { spec?: unknown; status?: unknown }): KubeObject {
  const status: unknown = node.status;
  const picked =
    typeof status === "object" && status !== null
      ? Object.fromEntries(
          Object.entries(status).filter(([key]) => key === "nodeInfo" || key === "conditions"),
        )
      : {};
  const { name, creationTimestamp } = node.metadata;
  const metadata = { name, ...(creationTimestamp !== undefined && { creationTimestamp }) };
  const { apiVersion = "v1", kind = "Node" } = node;
  return Object.assign({ apiVersion, kind, metadata }, { status: picked });
}
