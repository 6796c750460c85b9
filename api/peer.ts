import { z } from "zod";
import { TerminalError } from "./errors.ts";
import { dnsLabelSchema, identitySchema, trustBundleSchema } from "./names-schema.ts";
import type { KubeObject, ObjectMeta } from "./objects.ts";
import { JOIN_LABELS } from "./ownership.ts";
import { REASONS } from "./reasons.ts";

/** Peer.spec: a cluster that may call this cluster's gateway. */
export const peerSpecSchema = z.object({
  clusterName: dnsLabelSchema
    .describe(
      "Name of the consumer cluster, which it gives as SNI and in its URI SAN. Default: the name of this Peer.",
    )
    .optional(),
  trustBundle: trustBundleSchema.describe("PEM of the CA certificates of the consumer."),
  identity: identitySchema.describe(
    "URI SAN that the consumer's gateway must present, spiffe://<cluster>/isthmus/gateway.",
  ),
});

export type PeerSpec = z.infer<typeof peerSpecSchema> & { clusterName: string };

/** A Peer as it comes from the API server: its spec is not trusted until {@link parsePeerSpec} read it. */
export interface Peer extends KubeObject {
  spec?: unknown;
}

/**
 * Peer.spec with the default of clusterName filled in.
 * @throws TerminalError (PeerRejected) that names the field.
 */
export function parsePeerSpec(peer: Peer): PeerSpec {
  const parsed = peerSpecSchema.safeParse(peer.spec);
  if (parsed.success) {
    return { ...parsed.data, clusterName: parsed.data.clusterName ?? peer.metadata.name };
  }
  const issue = parsed.error.issues[0];
  const field = ["spec", ...(issue?.path ?? [])].join(".");
  throw new TerminalError(
    REASONS.PeerRejected,
    `Peer ${peer.metadata.name}: ${field}: ${issue?.message ?? "invalid"}; correct it with kubectl edit.`,
  );
}

/** The Peer that a join makes for a consumer, in this namespace. */
export function joinedPeer(spec: PeerSpec, metadata: Omit<ObjectMeta, "name" | "labels">): Peer {
  return { metadata: { ...metadata, name: spec.clusterName, labels: JOIN_LABELS }, spec };
}
