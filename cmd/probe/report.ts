import { z } from "zod";

/** What `link check` asks the probe in a pod, and what it answers: the two may be of different versions. */

/** Environment variable with the request as JSON. */
export const PROBE_REQUEST_VARIABLE = "PROBE_REQUEST";
/** Where the gateway's own leaf is mounted. */
export const PROBE_LEAF_FOLDER = "/leaf";
/** Where the probe's server listens. */
export const PROBE_SERVER_PORT = 8080;

const linkRequestSchema = z.object({
  name: z.string(),
  addresses: z.array(z.string()),
  port: z.int(),
  identity: z.string(),
  trustBundle: z.string(),
});

/** Gateways to look at as this cluster's own gateways would. */
export const gatewaysRequestSchema = z.object({
  ownCluster: z.string(),
  links: z.array(linkRequestSchema),
});

/** What a server answers to whoever asks it. */
export const serveRequestSchema = z.object({ nonce: z.string() });

/** A Service to call until it gives the right answer. */
export const callRequestSchema = z.object({
  host: z.string(),
  port: z.int(),
  nonce: z.string(),
  timeoutMs: z.int(),
});

export type GatewaysRequest = z.infer<typeof gatewaysRequestSchema>;
export type ServeRequest = z.infer<typeof serveRequestSchema>;
export type CallRequest = z.infer<typeof callRequestSchema>;

const waySchema = z.object({
  /** Sizes of payload that arrived, ascending. */
  passedBytes: z.array(z.number()),
  /** The size that did not arrive, twice; absent when all did. */
  stuckAtBytes: z.number().optional(),
  /** Why no more was tried, where that was no matter of size. */
  untested: z.string().optional(),
});

const gatewayReportSchema = z.object({
  link: z.string(),
  address: z.string(),
  port: z.number(),
  /** How far it came. */
  stage: z.enum(["connect", "handshake", "answer", "done"]),
  /** Why it came no further. */
  failure: z.object({ reason: z.string(), message: z.string(), timedOut: z.boolean() }).optional(),
  /** Where the handshake failed: one with smaller messages passes. */
  smallHandshake: z.boolean().optional(),
  /** Where that failed, too: whether a refusal, which is smaller still, does arrive. */
  refuses: z.boolean().optional(),
  /** From the first packet to the end of the handshake. */
  connectMs: z.number().optional(),
  /** One request over the open session. */
  rttMs: z.number().optional(),
  /** When the gateway's certificate ends. */
  notAfterMs: z.number().optional(),
  notBeforeMs: z.number().optional(),
  /** How much the gateway's clock is ahead of the probe's; to the second. */
  aheadMs: z.number().optional(),
  /** From here to the gateway. */
  up: waySchema.optional(),
  /** From the gateway to here. */
  down: waySchema.optional(),
});

export const gatewaysReportSchema = z.object({
  /** The pod's clock. */
  nowMs: z.number(),
  gateways: z.array(gatewayReportSchema),
});

export const callReportSchema = z.object({
  answered: z.boolean(),
  attempts: z.number(),
  tookMs: z.number(),
  /** What the last attempt saw, where none was answered. */
  last: z.string(),
});

export type WayReport = z.infer<typeof waySchema>;
export type GatewayReport = z.infer<typeof gatewayReportSchema>;
export type GatewaysReport = z.infer<typeof gatewaysReportSchema>;
export type CallReport = z.infer<typeof callReportSchema>;
