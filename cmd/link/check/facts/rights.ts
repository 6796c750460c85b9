import { KubeConfig } from "@kubernetes/client-node";
import { readToken } from "../../../../controller/link/credentials/token.ts";
import { isApiError } from "../../../../kube/client/api-error.ts";
import { createKubeClient, type KubeClient } from "../../../../kube/client/client.ts";
import { requestToken } from "../../../../kube/client/request-token.ts";
import type { ClusterAccess } from "../../cluster-access.ts";
import { type Fact, lookUp } from "../fact.ts";
import type { Account, Right } from "./expected-rights.ts";

/** The shortest that a TokenRequest may ask for; nobody but us sees the token. */
const TOKEN_LIFETIME_SECONDS = 600;

/** What an account may not do of what it has to, and what its token told of the API server's clock. */
export interface AccountRights {
  readonly account: Account;
  readonly exists: boolean;
  readonly asked: number;
  readonly denied: readonly Right[];
  /** How much the API server's clock is ahead of this machine's, in ms, to the second. */
  readonly aheadMs: number | undefined;
}

/**
 * Asks, as the account itself, for each right. The token is the account's own, by TokenRequest, so that what is asked
 * passes the same authentication and authorisation as the pods do; a SubjectAccessReview by us would only ask what is
 * true of a user and groups as we believe them to be.
 */
export async function gatherAccountRights(
  access: ClusterAccess,
  account: Account,
  rights: readonly Right[],
  options: { nowMs: () => number; signal: AbortSignal },
): Promise<Fact<AccountRights>> {
  return await lookUp(options.signal, async (signal) => {
    const askedMs = options.nowMs();
    const token = await findToken(access.client, account, signal);
    if (token === undefined) {
      return { account, exists: false, asked: 0, denied: [], aheadMs: undefined };
    }
    const nowMs = (askedMs + options.nowMs()) / 2;
    const client = createKubeClient(configWith(access, token), { userAgent: "isthmus-link-check" });
    try {
      const denied = await deniedOf(client, rights, signal);
      const issuedAtMs = readToken(token, nowMs)?.issuedAtMs;
      // Issued somewhen within that second.
      const aheadMs = issuedAtMs === undefined ? undefined : Math.round(issuedAtMs + 500 - nowMs);
      return { account, exists: true, asked: rights.length, denied, aheadMs };
    } finally {
      await client.close();
    }
  });
}

/** What the client's own user may not do of these. */
export async function deniedOf(
  client: KubeClient,
  rights: readonly Right[],
  signal: AbortSignal,
): Promise<Right[]> {
  const answers = await Promise.all(rights.map((right) => isAllowed(client, right, signal)));
  return rights.filter((_right, index) => answers[index] !== true);
}

async function isAllowed(client: KubeClient, right: Right, signal: AbortSignal): Promise<boolean> {
  const answer = await client.request<{ status?: { allowed?: boolean } }>({
    method: "POST",
    path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    body: {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: right },
    },
    signal,
  });
  return answer.status?.allowed === true;
}

/** Undefined where there is no such account. */
async function findToken(
  client: KubeClient,
  account: Account,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const lifetimeSeconds = TOKEN_LIFETIME_SECONDS;
    return await requestToken(client, account, { lifetimeSeconds, signal });
  } catch (error) {
    if (isApiError(error, 404)) return undefined;
    throw error;
  }
}

function configWith(access: ClusterAccess, token: string): KubeConfig {
  const { server, caPem, tlsServerName, insecure } = access;
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    {
      name: "cluster",
      server,
      skipTLSVerify: insecure,
      ...(caPem !== undefined && { caData: Buffer.from(caPem).toString("base64") }),
      ...(tlsServerName !== undefined && { tlsServerName }),
    },
    { name: "account", token },
  );
  return config;
}
