import { LINK_TOKEN_LIFETIME_SECONDS } from "../../../api/join-token.ts";
import { INSTALL_NAMESPACE, linkServiceAccountName } from "../../../api/names.ts";
import { requestToken } from "../../../kube/client/request-token.ts";
import type { ClusterAccess } from "../cluster-access.ts";

/** Of the first token, unless a longer one is asked for. */
export const TOKEN_LIFETIME_MS = 1000 * LINK_TOKEN_LIFETIME_SECONDS;

/**
 * A token for the account that a consumer has on the provider.
 * @param lifetimeMs that is asked for; renewed tokens live as long
 * @throws ApiError 404 when the account does not exist
 */
export async function requestLinkToken(
  { client }: ClusterAccess,
  consumer: string,
  lifetimeMs: number,
  signal: AbortSignal,
): Promise<string> {
  const account = { namespace: INSTALL_NAMESPACE, name: linkServiceAccountName(consumer) };
  const lifetimeSeconds = Math.round(lifetimeMs / 1000);
  return await requestToken(client, account, { lifetimeSeconds, signal });
}
