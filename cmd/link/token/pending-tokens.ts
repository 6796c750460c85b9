import { type PendingToken, readPendingToken } from "../../../api/join-token.ts";
import {
  ANNOTATIONS,
  GATEWAY_TLS_SECRET_NAME,
  INSTALL_NAMESPACE,
  joinTokenName,
  LABELS,
} from "../../../api/names.ts";
import type { Secret } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { CliError } from "../cli-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { providerKeys } from "../join/provider-objects.ts";
import { listAll } from "../list-all.ts";
import { isMadeByLink } from "../owned-labels.ts";
import type { Reporter } from "../reporter.ts";
import { removeIfOurs } from "../unjoin/remove-if-ours.ts";

/** Not that of `link join` and `link install`: they would take the annotation away. */
const FIELD_MANAGER = "isthmus-link-token";

export interface TokenContext {
  /** The provider. */
  access: ClusterAccess;
  reporter: Reporter;
  signal: AbortSignal;
}

/** A Secret of a token, and what it keeps; undefined where that cannot be read. */
export interface StoredToken {
  readonly consumer: string;
  readonly secret: Secret;
  readonly pending: PendingToken | undefined;
}

/** The tokens that a cluster keeps, by consumer; also those that are of no use any more. */
export async function storedTokens({ access, signal }: TokenContext): Promise<StoredToken[]> {
  const selector = { namespace: INSTALL_NAMESPACE, labelSelector: LABELS.joinToken, signal };
  const secrets = await listAll<Secret>(access, RESOURCES.secrets, selector);
  return secrets
    .flatMap((secret) => {
      const consumer = secret.metadata.labels?.[LABELS.joinToken] ?? "";
      const isOne = secret.metadata.name === joinTokenName(consumer) && isMadeByLink(secret);
      return isOne ? [{ consumer, secret, pending: readPendingToken(secret) }] : [];
    })
    .toSorted((one, other) => (one.consumer < other.consumer ? -1 : 1));
}

/** Whether a token can still be used. */
export function isUsable({ pending }: StoredToken, nowMs: number): boolean {
  return pending !== undefined && pending.usesLeft > 0 && nowMs < Date.parse(pending.expiresAt);
}

/**
 * Removes a token with the rights that it gives the gateway, and the
 * consumer's account where it was made for the token and nobody has joined.
 */
export async function removeToken(
  context: TokenContext,
  { consumer, pending }: Pick<StoredToken, "consumer" | "pending">,
): Promise<void> {
  const { access, signal } = context;
  const name = joinTokenName(consumer);
  // The Secret first: from then on the token is worth nothing.
  for (const resource of [RESOURCES.secrets, RESOURCES.roleBindings, RESOURCES.roles]) {
    await removeIfOurs(access, { resource, name }, context);
  }
  if (pending?.madeAccount !== true) return;
  const key = { namespace: INSTALL_NAMESPACE, name: consumer };
  if ((await access.client.find(RESOURCES.peers, key, { signal })) !== undefined) return;
  for (const account of providerKeys(consumer)) await removeIfOurs(access, account, context);
}

/** Removes the tokens that have expired, and what is none; returns the others. One that is just being used is left. */
export async function sweepTokens(context: TokenContext, nowMs: number): Promise<StoredToken[]> {
  const tokens = await storedTokens(context);
  const isOver = ({ pending }: StoredToken) =>
    pending === undefined || nowMs >= Date.parse(pending.expiresAt);
  for (const token of tokens.filter(isOver)) await removeToken(context, token);
  return tokens.filter((token) => !isOver(token));
}

/**
 * Has the gateways take tokens until the last of those that are pending
 * expires, and not at all when none is: they watch the Secret of their leaf.
 * @throws CliError when there is no leaf, without which no token can be exchanged.
 */
export async function tellGateways(context: TokenContext, nowMs: number): Promise<void> {
  const { access, signal } = context;
  const tokens = await storedTokens(context);
  const untilMs = Math.max(
    0,
    ...tokens
      .filter((token) => isUsable(token, nowMs))
      .map(({ pending }) => Date.parse(pending?.expiresAt ?? "")),
  );
  const key = { namespace: INSTALL_NAMESPACE, name: GATEWAY_TLS_SECRET_NAME };
  const leaf = await access.client.find<Secret>(RESOURCES.secrets, key, { signal });
  if (leaf === undefined) {
    if (untilMs === 0) return;
    throw new CliError(
      `context ${access.contextName}: Secret ${key.namespace}/${key.name} is missing: the gateway has no certificate to show`,
      {
        fix: `see why isthmus-controller has not made it: link status --context ${access.contextName}`,
      },
    );
  }
  const until = untilMs === 0 ? undefined : new Date(untilMs).toISOString();
  if (leaf.metadata.annotations?.[ANNOTATIONS.joinUntil] === until) return;
  const annotations = { [ANNOTATIONS.joinUntil]: until ?? null };
  await access.client.patch(
    RESOURCES.secrets,
    key,
    { metadata: { annotations } },
    {
      type: "merge",
      fieldManager: FIELD_MANAGER,
      signal,
    },
  );
}
