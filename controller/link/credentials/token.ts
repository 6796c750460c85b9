import { isScalar, parseDocument } from "yaml";
import { z } from "zod";
import type { Random } from "../../../api/clock.ts";

/** What of a ServiceAccount token decides its renewal. The signature is the API server's to check. */
export interface TokenInfo {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Of the ServiceAccount it was made for; one of the same name made later has another. */
  readonly uid?: string | undefined;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
}

const MIN_LIFETIME_SECONDS = 600;
/** A token is renewed after so much of its life, spread so that many do not ask together. */
const RENEW_FROM_SHARE = 0.7;
const RENEW_SPREAD_SHARE = 0.1;
/** The clocks of two clusters may differ by this much, either way. */
const CLOCK_SKEW_MS = 10 * 60_000;

const claimsSchema = z.object({
  exp: z.number().positive(),
  iat: z.number().nonnegative().optional(),
  sub: z.string().regex(/^system:serviceaccount:[-a-z0-9]{1,63}:[-.a-z0-9]{1,253}$/),
  "kubernetes.io": z
    .object({ serviceaccount: z.object({ uid: z.string().optional() }).optional() })
    .optional(),
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
    uid: claims.data["kubernetes.io"]?.serviceaccount?.uid,
    issuedAtMs: iat === undefined ? Math.min(nowMs, exp * 1000) : iat * 1000,
    expiresAtMs: exp * 1000,
  };
}

/**
 * How long a token has been in use, whatever the clocks of the two clusters
 * say: as a time since it came. Of one that came from elsewhere only the
 * issuer's word is known, so it counts as older by what the clocks may differ.
 */
export class TokenAges {
  readonly #seen = new Map<
    string,
    { token: string; ageMs: number; atMs: number; renewShare: number }
  >();
  readonly #monotonicMs: () => number;
  readonly #random: Random;

  /** @param monotonicMs time that nobody sets, in ms */
  constructor(options: { monotonicMs: () => number; random: Random }) {
    this.#monotonicMs = options.monotonicMs;
    this.#random = options.random;
  }

  /** Notes that this token was just issued to us for the link. */
  received(link: string, token: string): void {
    this.#see(link, token, 0);
  }

  /** How old the link's token is, in ms, and how long until it is to be renewed. `nowMs` is our wall clock. */
  judge(
    link: string,
    token: string,
    info: TokenInfo,
    nowMs: number,
  ): { ageMs: number; dueInMs: number } {
    const lifeMs = info.expiresAtMs - info.issuedAtMs;
    let seen = this.#seen.get(link);
    if (seen?.token !== token) {
      const oldestMs = nowMs - info.issuedAtMs + CLOCK_SKEW_MS;
      seen = this.#see(link, token, Math.min(Math.max(0, oldestMs), lifeMs));
    }
    const ageMs = seen.ageMs + this.#monotonicMs() - seen.atMs;
    return { ageMs, dueInMs: lifeMs * seen.renewShare - ageMs };
  }

  #see(link: string, token: string, ageMs: number) {
    const renewShare = RENEW_FROM_SHARE + RENEW_SPREAD_SHARE * this.#random();
    const seen = { token, ageMs, atMs: this.#monotonicMs(), renewShare };
    this.#seen.set(link, seen);
    return seen;
  }
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
