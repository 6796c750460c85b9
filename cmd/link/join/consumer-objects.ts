import { stringify } from "yaml";
import {
  INSTALL_NAMESPACE,
  KUBECONFIG_KEY,
  LABELS,
  linkCredentialsSecretName,
} from "../../../api/names.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { ClusterIdentity } from "../identity.ts";
import { OWNED_LABELS } from "../owned-labels.ts";
import { type JoinObject, withBody } from "./provider-objects.ts";

/** How the consumer's controller reaches the provider's API server. */
export interface ProviderEndpoint {
  readonly server: string;
  /** PEM of the CA that signed its certificate; undefined for a public one. */
  readonly caPem: string | undefined;
  readonly tlsServerName: string | undefined;
}

/** The kubeconfig of a link: one cluster, one user with a token, nothing else. */
export function linkKubeconfig(name: string, endpoint: ProviderEndpoint, token: string): string {
  const { server, caPem, tlsServerName } = endpoint;
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name,
        cluster: {
          server,
          ...(caPem !== undefined && {
            "certificate-authority-data": Buffer.from(caPem).toString("base64"),
          }),
          ...(tlsServerName !== undefined && { "tls-server-name": tlsServerName }),
        },
      },
    ],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    "current-context": name,
  });
}

/** The Secret with a link's credentials. */
export function credentialsObject(
  linkName: string,
  provider: string,
  kubeconfig: string,
): JoinObject {
  const metadata = {
    name: linkCredentialsSecretName(provider),
    namespace: INSTALL_NAMESPACE,
    labels: { ...OWNED_LABELS, [LABELS.link]: linkName },
  };
  const data = { [KUBECONFIG_KEY]: Buffer.from(kubeconfig).toString("base64") };
  return { resource: RESOURCES.secrets, object: withBody({ metadata }, { type: "Opaque", data }) };
}

/** What a Link says of the provider's gateway beyond its identity. */
export interface GatewayEndpoint {
  readonly addresses?: readonly string[] | undefined;
  readonly port?: number | undefined;
}

export function linkObject(
  linkName: string,
  provider: ClusterIdentity,
  { addresses, port }: GatewayEndpoint,
): JoinObject {
  const spec = {
    clusterName: provider.clusterName,
    credentialsSecretRef: { name: linkCredentialsSecretName(provider.clusterName) },
    gateway: {
      identity: provider.gatewayIdentity,
      ...(addresses !== undefined && { addresses }),
      ...(port !== undefined && { port }),
    },
    trustBundle: provider.trustBundle,
  };
  const metadata = { name: linkName, namespace: INSTALL_NAMESPACE, labels: OWNED_LABELS };
  return { resource: RESOURCES.links, object: withBody({ metadata }, { spec }) };
}
