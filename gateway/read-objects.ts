import { ANNOTATIONS, peerServerName } from "../api/names.ts";
import type { Secret } from "../api/objects.ts";
import { type Peer, parsePeerSpec } from "../api/peer.ts";
import type { CertificateAndKey } from "../pki/authority.ts";
import type { TrustedPeer } from "../pki/tls.ts";

/** What the ingress needs of a Peer. Throws an Error that says why it cannot be accepted. */
export function trustedPeerOf(peer: Peer): TrustedPeer {
  const { clusterName, trustBundle, identity } = parsePeerSpec(peer);
  return {
    name: peer.metadata.name,
    serverName: peerServerName(clusterName),
    bundlePem: trustBundle,
    identity,
  };
}

/** Certificate and key of a Secret of type kubernetes.io/tls. Throws when one is missing. */
export function leafOf({ data = {} }: Secret): CertificateAndKey {
  const [certificatePem, privateKeyPem] = ["tls.crt", "tls.key"].map((key) =>
    Buffer.from(data[key] ?? "", "base64").toString("utf8"),
  );
  if (!certificatePem || !privateKeyPem) throw new Error("tls.crt or tls.key is missing");
  return { certificatePem, privateKeyPem };
}

/** Until when join tokens are taken, in epoch ms, as the Secret of the leaf says; 0: not at all. */
export function joinUntilMs({ metadata }: Secret): number {
  const untilMs = Date.parse(metadata.annotations?.[ANNOTATIONS.joinUntil] ?? "");
  return Number.isNaN(untilMs) ? 0 : untilMs;
}

/** Orders Peers by name. */
export function byName(one: Peer, other: Peer): number {
  return one.metadata.name < other.metadata.name ? -1 : 1;
}
