import { isScalar, parseDocument } from "yaml";
import { z } from "zod";

/** What of a ServiceAccount token decides its renewal. The signature is the API server's to check. */
export interface TokenInfo {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
}

const MIN_LIFETIME_SECONDS = 600;
const RENEW_AT_SHARE = 0.8;
/** Of its life, that a token is kept at the least, whatever the clocks of the two clusters say. */
const KEEP_SHARE = 0.5;

const claimsSchema = z.object({
  exp: z.number().positive(),
  iat: z.number().nonnegative().optional(),
  sub: z.string().regex(/^system:serviceaccount:[-a-z0-9]{1,63}:[-.a-z0-9]{1,253}$/),
});

/** Reads a token; undefined for one that does not expire, or is not a ServiceAccount's. */
export function readToken(token: string, nowMs: number): TokenInfo | undefined {
  const payload = token.split(".")[1];
  if (payload === undefined) return undefined;
  const claims = claimsSchema.safeParse(parseJson(Buffer.from(payload, "base64url").toString()));
  if (!claims.success) return undefined;
  const { exp, iat, sub } = claims.data;
  const [, , namespace = "", serviceAccount = ""] = sub.split(":");
  return {
    namespace,
    serviceAccount,
    issuedAtMs: iat === undefined ? Math.min(nowMs, exp * 1000) : iat * 1000,
    expiresAtMs: exp * 1000,
  };
}

/**
 * When a token is to be renewed, in epoch ms: after four fifths of its life. One
 * that we renewed ourselves is kept for half of its life by our own clock: with
 * the provider's clock far behind ours every new one would look old.
 */
export function renewTokenAtMs(info: TokenInfo, renewedAtMs?: number): number {
  const lifeMs = info.expiresAtMs - info.issuedAtMs;
  const dueMs = info.issuedAtMs + lifeMs * RENEW_AT_SHARE;
  return renewedAtMs === undefined ? dueMs : Math.max(dueMs, renewedAtMs + lifeMs * KEEP_SHARE);
}

/** The lifetime to ask for: that of the token before, at least what the API server grants. */
export function lifetimeSeconds({ issuedAtMs, expiresAtMs }: TokenInfo): number {
  return Math.max(MIN_LIFETIME_SECONDS, Math.round((expiresAtMs - issuedAtMs) / 1000));
}

/** The token of the kubeconfig's current context. */
export function tokenOf(kubeconfigText: string): string | undefined {
  const found = findToken(kubeconfigText);
  return found?.token;
}

/**
 * The kubeconfig with another token for its current context; not one other
 * character of the text changes. Undefined when there is no token to replace.
 */
export function withToken(kubeconfigText: string, token: string): string | undefined {
  const found = findToken(kubeconfigText);
  if (found === undefined) return undefined;
  const [start, end] = found.range;
  return kubeconfigText.slice(0, start) + JSON.stringify(token) + kubeconfigText.slice(end);
}

function findToken(text: string): { token: string; range: readonly [number, number] } | undefined {
  const document = parseDocument(text, { logLevel: "silent", prettyErrors: false });
  if (document.errors.length > 0) return undefined;
  const parsed = namesSchema.safeParse(document.toJS({ maxAliasCount: 20 }));
  if (!parsed.success) return undefined;
  const { contexts, users, "current-context": current } = parsed.data;
  const userName = contexts.find(({ name }) => name === current)?.context.user;
  const index = users.findIndex(({ name }) => name === userName);
  const token = users[index]?.user.token?.trim();
  const node = document.getIn(["users", index, "user", "token"], true);
  if (token === undefined || !isScalar(node) || !node.range) return undefined;
  const [start, end] = node.range;
  return { token, range: [start, end] };
}

const namesSchema = z.object({
  "current-context": z.string(),
  contexts: z.array(z.object({ name: z.string(), context: z.object({ user: z.string() }) })),
  users: z.array(z.object({ name: z.string(), user: z.object({ token: z.string().optional() }) })),
});

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
