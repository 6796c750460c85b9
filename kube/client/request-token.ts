import { RESOURCES } from "../../api/resources.ts";
import { KubeConnectionError } from "./api-error.ts";
import type { CallOptions, KubeClient } from "./kube-client.ts";
import { resourcePath } from "./resource-path.ts";

/**
 * A token of a ServiceAccount (TokenRequest). The API server decides how long
 * it lives; `lifetimeSeconds` is what is asked for.
 * @throws as every call of the client, and KubeConnectionError for an answer without a token.
 */
export async function requestToken(
  client: KubeClient,
  account: { namespace: string; name: string },
  { lifetimeSeconds, ...options }: CallOptions & { lifetimeSeconds: number },
): Promise<string> {
  const answer = await client.request<{ status?: { token?: unknown } }>({
    method: "POST",
    path: resourcePath(RESOURCES.serviceAccounts, account, "token"),
    body: {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: { expirationSeconds: lifetimeSeconds },
    },
    ...options,
  });
  const token = answer.status?.token;
  if (typeof token === "string" && token !== "") return token;
  throw new KubeConnectionError({
    code: "INVALID_RESPONSE",
    server: client.server,
    detail: `a TokenRequest for ServiceAccount ${account.namespace}/${account.name} was answered without a token`,
  });
}
