import {
  IDENTITY_CONFIG_MAP_NAME,
  INSTALL_NAMESPACE,
  LINK_CLUSTER_ROLE,
  linkServiceAccountName,
} from "../../../api/names.ts";
import type { KubeObject } from "../../../api/objects.ts";
import { joinedPeer } from "../../../api/peer.ts";
import { type Resource, RESOURCES } from "../../../api/resources.ts";
import type { ClusterIdentity } from "../identity.ts";
import { OWNED_LABELS } from "../owned-labels.ts";

/** An object that a join makes, and how the API server addresses it. */
export interface JoinObject {
  readonly resource: Resource;
  readonly object: KubeObject;
}

const RBAC_GROUP = "rbac.authorization.k8s.io";

/** What the provider holds for one consumer; the names all follow from the consumer's. */
export function providerKeys(consumer: string): { resource: Resource; name: string }[] {
  const name = linkServiceAccountName(consumer);
  return [
    { resource: RESOURCES.peers, name: consumer },
    { resource: RESOURCES.roleBindings, name },
    { resource: RESOURCES.roles, name },
    { resource: RESOURCES.clusterRoleBindings, name },
    { resource: RESOURCES.serviceAccounts, name },
  ];
}

/**
 * The consumer's account on the provider with exactly its rights, and the Peer
 * by which the provider's gateway knows it, in the order of their making.
 * @param provider its `namespaces`: where these are listed nothing is bound in
 *   the whole cluster; what may be read there comes with the installation.
 */
export function providerObjects(
  consumer: ClusterIdentity,
  { namespaces }: Pick<ClusterIdentity, "namespaces"> = {},
): JoinObject[] {
  const name = linkServiceAccountName(consumer.clusterName);
  const namespaced = { name, namespace: INSTALL_NAMESPACE, labels: OWNED_LABELS };
  const subjects = [{ kind: "ServiceAccount", name, namespace: INSTALL_NAMESPACE }];
  return [
    { resource: RESOURCES.serviceAccounts, object: { metadata: namespaced } },
    ...(namespaces === undefined ? [everywhere(consumer.clusterName)] : []),
    {
      resource: RESOURCES.roles,
      object: withBody({ metadata: namespaced }, { rules: ownRules(consumer.clusterName) }),
    },
    {
      resource: RESOURCES.roleBindings,
      object: withBody(
        { metadata: namespaced },
        { roleRef: { apiGroup: RBAC_GROUP, kind: "Role", name }, subjects },
      ),
    },
    {
      resource: RESOURCES.peers,
      object: joinedPeer(
        {
          clusterName: consumer.clusterName,
          identity: consumer.gatewayIdentity,
          trustBundle: consumer.trustBundle,
        },
        { namespace: INSTALL_NAMESPACE },
      ),
    },
  ];
}

/** The right to read Services and their endpoints in every namespace. */
export function everywhere(consumer: string): JoinObject {
  const name = linkServiceAccountName(consumer);
  return {
    resource: RESOURCES.clusterRoleBindings,
    object: withBody(
      { metadata: { name, labels: OWNED_LABELS } },
      {
        roleRef: { apiGroup: RBAC_GROUP, kind: "ClusterRole", name: LINK_CLUSTER_ROLE },
        subjects: [{ kind: "ServiceAccount", name, namespace: INSTALL_NAMESPACE }],
      },
    ),
  };
}

/** What concerns this consumer alone: who we are, its own Peer, its own account and tokens for it. */
function ownRules(consumer: string) {
  return [
    {
      apiGroups: [""],
      resources: ["configmaps"],
      resourceNames: [IDENTITY_CONFIG_MAP_NAME],
      verbs: ["get"],
    },
    {
      apiGroups: [RESOURCES.peers.group],
      resources: [RESOURCES.peers.plural],
      resourceNames: [consumer],
      verbs: ["get", "patch"],
    },
    {
      apiGroups: [""],
      resources: ["serviceaccounts"],
      resourceNames: [linkServiceAccountName(consumer)],
      // So that a revocation is seen at once: the API server accepts a known token for 10 s more.
      verbs: ["get", "list", "watch"],
    },
    {
      apiGroups: [""],
      resources: ["serviceaccounts/token"],
      resourceNames: [linkServiceAccountName(consumer)],
      verbs: ["create"],
    },
  ];
}

/** An object with fields that {@link KubeObject} leaves untyped. */
export function withBody(object: KubeObject, body: Record<string, unknown>): KubeObject {
  return { ...object, ...body };
}
