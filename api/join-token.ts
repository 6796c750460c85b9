import { createHash } from "node:crypto";
import { z } from "zod";
import { dnsLabelSchema, identitySchema, trustBundleSchema } from "./names-schema.ts";
import { API_GROUP, API_VERSION } from "./names.ts";
import type { Secret } from "./objects.ts";

/** What `link token` and the ingress gateway agree on: the token's document, what is kept of it, and their exchange. */

/** The SNI under which an ingress takes tokens; no consumer has it (api/names.ts, peerServerName). */
export const JOIN_SERVER_NAME = "join.isthmus";
export const JOIN_PATH = "/.isthmus/join";

/** Of a document; a trust bundle may have 64 KiB of it. */
export const MAX_JOIN_TOKEN_BYTES = 96 * 1024;
/** Of a request; as JSON, a trust bundle has a byte more for each line. */
export const MAX_JOIN_REQUEST_BYTES = 96 * 1024;

/** What a join asks for: the controller renews the token long before, and one that nobody uses is soon worthless. */
export const LINK_TOKEN_LIFETIME_SECONDS = 3600;

/** Bytes of randomness of a token's id and of its secret, and their lengths in base64url. */
export const JOIN_ID_BYTES = 16;
export const JOIN_SECRET_BYTES = 32;
const idSchema = z.string().regex(/^[-_A-Za-z0-9]{22}$/, "must be 22 characters of base64url");
const secretSchema = z.string().regex(/^[-_A-Za-z0-9]{43}$/, "must be 43 characters of base64url");
const hashSchema = z.string().regex(/^[0-9a-f]{64}$/, "must be a SHA-256 in hexadecimal");
const portSchema = z.int().min(1).max(65_535);
const addressesSchema = z.array(z.string().min(1).max(253)).min(1).max(16);

export const JOIN_TOKEN_HEAD = {
  apiVersion: `${API_GROUP}/${API_VERSION}`,
  kind: "JoinToken",
} as const;

/** The document that goes from the provider's administrator to the consumer's. */
export const joinTokenSchema = z.strictObject({
  apiVersion: z.literal(JOIN_TOKEN_HEAD.apiVersion),
  kind: z.literal(JOIN_TOKEN_HEAD.kind),
  provider: dnsLabelSchema,
  consumer: dnsLabelSchema,
  id: idSchema,
  secret: secretSchema,
  gateway: z.strictObject({
    addresses: addressesSchema,
    port: portSchema,
    identity: identitySchema,
  }),
  trustBundle: trustBundleSchema,
  expiresAt: z.iso.datetime(),
});

export type JoinToken = z.infer<typeof joinTokenSchema>;

/** What a Link is to say of the provider's gateway beyond its identity; nothing: it follows the Service. */
const linkGatewaySchema = z.strictObject({
  addresses: addressesSchema.optional(),
  port: portSchema.optional(),
});

/** How the provider's API server is reached from the consumer. */
const apiServerSchema = z.strictObject({
  url: z.string().min(1).max(2048),
  caPem: trustBundleSchema.optional(),
  tlsServerName: z.string().min(1).max(253).optional(),
});

/** What the provider keeps of a token that may still be used, in a Secret: neither the token nor its secret. */
const pendingTokenSchema = z.strictObject({
  consumer: dnsLabelSchema,
  id: idSchema,
  secretHash: hashSchema,
  documentHash: hashSchema,
  expiresAt: z.iso.datetime(),
  uses: z.int().min(1),
  usesLeft: z.int().min(0),
  /** The consumer's account was made for this token: it goes with it if nobody joins. */
  madeAccount: z.boolean(),
  apiServer: apiServerSchema,
  gateway: linkGatewaySchema,
});

export type PendingToken = z.infer<typeof pendingTokenSchema>;

/** What the consumer's side sends: the proof that it has the token, unchanged, and who its gateway is. */
export const joinRequestSchema = z.strictObject({
  id: idSchema,
  secret: secretSchema,
  consumer: dnsLabelSchema,
  documentHash: hashSchema,
  identity: identitySchema,
  trustBundle: trustBundleSchema,
});

export type JoinRequest = z.infer<typeof joinRequestSchema>;

/** What it gets: everything that its Link and the Secret of that are made of. */
export const joinAnswerSchema = z.strictObject({
  apiServer: apiServerSchema,
  token: z.string().min(1).max(16_384),
  gateway: linkGatewaySchema,
});

export type JoinAnswer = z.infer<typeof joinAnswerSchema>;

/** Why a token is not taken, and the HTTP status that says so; a label of metrics, too. */
export const JOIN_REFUSALS = {
  /** Not a request as it should be. */
  RequestInvalid: 400,
  /** The gateway's identity or trust bundle cannot be this consumer's. */
  IdentityInvalid: 400,
  /** No token of that id is pending for that consumer. */
  TokenUnknown: 403,
  TokenUsed: 403,
  TokenExpired: 403,
  /** The secret is not that of the token. */
  SecretWrong: 403,
  /** The document is not as it was issued. */
  TokenChanged: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  /** The Peer of that name is of another cluster. */
  PeerExists: 409,
  TooManyTries: 429,
  /** The provider could not do its part. */
  ExchangeFailed: 503,
} as const satisfies Record<string, number>;

export type JoinRefusalReason = keyof typeof JOIN_REFUSALS;

const REFUSAL_REASONS = Object.keys(JOIN_REFUSALS);

export const joinRefusalSchema = z.strictObject({
  reason: z.string().refine((text): text is JoinRefusalReason => REFUSAL_REASONS.includes(text)),
  message: z.string().max(1024),
  /** Whether the try has used the token up. */
  isUsedUp: z.boolean(),
});

export type JoinRefusal = z.infer<typeof joinRefusalSchema>;

/** SHA-256 of a token's secret, in hexadecimal. */
export function secretHashOf(secret: string): string {
  return sha256(secret);
}

/** SHA-256 of everything in a document but its secret: it tells whether a field was changed. */
export function documentHashOf(token: Omit<JoinToken, "secret">): string {
  const { apiVersion, kind, provider, consumer, id, gateway, trustBundle, expiresAt } = token;
  const { addresses, port, identity } = gateway;
  return sha256(
    JSON.stringify([
      [apiVersion, kind, provider, consumer, id],
      [addresses, port, identity],
      [trustBundle, expiresAt],
    ]),
  );
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

const PENDING_KEY = "pending";

/** `data` of the Secret that keeps a pending token. */
export function pendingTokenData(pending: PendingToken): Record<string, string> {
  return { [PENDING_KEY]: Buffer.from(JSON.stringify(pending)).toString("base64") };
}

/** The pending token that a Secret keeps; undefined when it is not as {@link pendingTokenData} made it. */
export function readPendingToken({ data = {} }: Secret): PendingToken | undefined {
  try {
    const text = Buffer.from(data[PENDING_KEY] ?? "", "base64").toString("utf8");
    return pendingTokenSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
