import {
  CA_SECRET_NAME,
  GATEWAY_TLS_SECRET_NAME,
  gatewayIdentity,
  INSTALL_NAMESPACE,
  KUBECONFIG_KEY,
  linkCredentialsSecretName,
  linkServiceAccountName,
} from "../../../api/names.ts";
import type { Secret } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { resourcePath } from "../../../kube/client/resource-path.ts";
import { issueLeaf } from "../../../pki/authority.ts";
import { joinLink, revokeCredentials } from "../../../test/system/links.ts";
import type { Member } from "../../../test/system/system.ts";
import { alreadyOver, type BeginFault, providerOf } from "./fault-context.ts";

const TOKEN_LIFETIME_SECONDS = 3600;

/** The provider's API server stands still. */
export const apiPaused: BeginFault = async (context, fault) => {
  const server = providerOf(context, fault).cluster.process("kube-apiserver");
  server.pause();
  return async () => {
    server.resume();
    await Promise.resolve();
  };
};

/** The provider's API server ends and is started again. */
export const apiRestarted: BeginFault = async (context, fault) => {
  const { cluster } = providerOf(context, fault);
  const server = cluster.process("kube-apiserver");
  await server.stop();
  return async () => {
    server.start();
    await cluster.waitForApi();
  };
};

/** Somebody puts another token of the same account into the link's Secret. */
export const tokenRotated: BeginFault = async (context, fault) => {
  const provider = providerOf(context, fault);
  const { client, name: consumer } = context.consumer;
  const account = { namespace: INSTALL_NAMESPACE, name: linkServiceAccountName(consumer) };
  const { status } = await provider.client.request<{ status: { token: string } }>({
    method: "POST",
    path: resourcePath(RESOURCES.serviceAccounts, account, "token"),
    body: {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: { expirationSeconds: TOKEN_LIFETIME_SECONDS },
    },
  });
  const key = { namespace: INSTALL_NAMESPACE, name: linkCredentialsSecretName(provider.name) };
  const secret = await client.get<Secret>(RESOURCES.secrets, key);
  const before = decode(secret.data?.[KUBECONFIG_KEY]);
  const after = before.replace(/^(\s*token: ).*$/m, `$1${status.token}`);
  if (after === before) throw new Error("the link's kubeconfig has no token to replace");
  const data = { [KUBECONFIG_KEY]: encode(after) };
  await client.patch(RESOURCES.secrets, key, { data }, { type: "merge" });
  return alreadyOver;
};

/** The consumer's account at the provider is deleted; at the end the consumer joins again. */
export const credentialsRevoked: BeginFault = async (context, fault) => {
  const { system, consumer } = context;
  const provider = providerOf(context, fault);
  await revokeCredentials(provider, consumer.name);
  return () => joinLink(system, provider.name, consumer.name);
};

/** The provider's gateways get another certificate of the same CA. */
export const leafRenewed: BeginFault = async (context, fault) => {
  await renewLeaf(providerOf(context, fault));
  return alreadyOver;
};

/** The consumer's gateways get another certificate of the same CA. */
export const ownLeafRenewed: BeginFault = async ({ consumer }) => {
  await renewLeaf(consumer);
  return alreadyOver;
};

async function renewLeaf({ client, name }: Member): Promise<void> {
  const namespace = INSTALL_NAMESPACE;
  const { data } = await client.get<Secret>(RESOURCES.secrets, { namespace, name: CA_SECRET_NAME });
  const authority = {
    certificatePem: decode(data?.["tls.crt"]),
    privateKeyPem: decode(data?.["tls.key"]),
  };
  const identity = gatewayIdentity(name);
  const leaf = await issueLeaf(authority, { identity, nowMs: Date.now() });
  const renewed = { "tls.crt": encode(leaf.certificatePem), "tls.key": encode(leaf.privateKeyPem) };
  const key = { namespace, name: GATEWAY_TLS_SECRET_NAME };
  await client.patch(RESOURCES.secrets, key, { data: renewed }, { type: "merge" });
}

function decode(base64 = ""): string {
  return Buffer.from(base64, "base64").toString("utf8");
}

function encode(text: string): string {
  return Buffer.from(text).toString("base64");
}
