import { gatewayIdentity, peerServerName } from "../../../api/names.ts";
import { type CertificateAndKey, createAuthority, issueLeaf } from "../../../pki/authority.ts";
import type { TrustedPeer } from "../../../pki/tls.ts";

/** What makes a cluster one to others: its name, its CA and its gateway's leaf. */
export interface Identity {
  readonly name: string;
  readonly ca: CertificateAndKey;
  readonly leaf: CertificateAndKey;
}

export async function createIdentity(name: string): Promise<Identity> {
  const ca = await createAuthority({ clusterName: name, nowMs: Date.now() });
  return { name, ca, leaf: await renewedLeaf({ name, ca }) };
}

/** West provides, east and north consume. */
export interface Clusters {
  west: Identity;
  east: Identity;
  north: Identity;
}

export async function createClusters(): Promise<Clusters> {
  const [west, east, north] = await Promise.all([
    createIdentity("west"),
    createIdentity("east"),
    createIdentity("north"),
  ]);
  return { west, east, north };
}

export async function renewedLeaf({ name, ca }: Omit<Identity, "leaf">) {
  return await issueLeaf(ca, { identity: gatewayIdentity(name), nowMs: Date.now() });
}

/** The Peer by which a provider trusts a consumer. */
export function peerOf({ name, ca }: Identity): TrustedPeer {
  return {
    name,
    serverName: peerServerName(name),
    bundlePem: ca.certificatePem,
    identity: gatewayIdentity(name),
  };
}
