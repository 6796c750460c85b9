import { type PendingToken, pendingTokenData } from "../../../api/join-token.ts";
import {
  GATEWAY_NAME,
  INSTALL_NAMESPACE,
  joinTokenName,
  LABELS,
  linkServiceAccountName,
} from "../../../api/names.ts";
import type { OwnerReference, Secret } from "../../../api/objects.ts";
import { apiVersionOf, RESOURCES } from "../../../api/resources.ts";
import { type JoinObject, withBody } from "../join/provider-objects.ts";
import { OWNED_LABELS } from "../owned-labels.ts";

const RBAC_GROUP = RESOURCES.roles.group;

function metadataOf(consumer: string) {
  return {
    name: joinTokenName(consumer),
    namespace: INSTALL_NAMESPACE,
    labels: { ...OWNED_LABELS, [LABELS.joinToken]: consumer },
  };
}

/** The Secret that keeps a pending token: its hashes and what is to be answered, not the token. */
export function tokenSecret(pending: PendingToken): Secret {
  return {
    ...withBody({ metadata: metadataOf(pending.consumer) }, { type: "Opaque" }),
    data: pendingTokenData(pending),
  };
}

/**
 * What the gateway may do while the token is pending, beyond what it always
 * may: use this token up, make a token of this consumer's account, and write
 * this Peer. The Secret owns these objects, so they go with it.
 */
export function tokenRights(consumer: string, secret: Secret): JoinObject[] {
  const owner: OwnerReference = {
    apiVersion: apiVersionOf(RESOURCES.secrets),
    kind: RESOURCES.secrets.kind,
    name: secret.metadata.name,
    uid: secret.metadata.uid ?? "",
  };
  const metadata = { ...metadataOf(consumer), ownerReferences: [owner] };
  const { name } = metadata;
  const rules = [
    {
      apiGroups: [""],
      resources: [RESOURCES.secrets.plural],
      resourceNames: [name],
      verbs: ["get", "update", "delete"],
    },
    {
      apiGroups: [""],
      resources: ["serviceaccounts/token"],
      resourceNames: [linkServiceAccountName(consumer)],
      verbs: ["create"],
    },
    {
      apiGroups: [RESOURCES.peers.group],
      resources: [RESOURCES.peers.plural],
      resourceNames: [consumer],
      // Server-side apply names what it creates, so that this one name suffices.
      verbs: ["create", "patch"],
    },
  ];
  return [
    { resource: RESOURCES.roles, object: withBody({ metadata }, { rules }) },
    {
      resource: RESOURCES.roleBindings,
      object: withBody(
        { metadata },
        {
          roleRef: { apiGroup: RBAC_GROUP, kind: RESOURCES.roles.kind, name },
          subjects: [{ kind: "ServiceAccount", name: GATEWAY_NAME, namespace: INSTALL_NAMESPACE }],
        },
      ),
    },
  ];
}
