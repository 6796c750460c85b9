import type { CertificateAndKey } from "../../pki/authority.ts";
import type { TrustedPeer } from "../../pki/tls.ts";

/** What a gateway process of the bench is given by a file. */
export interface IngressSettings {
  readonly role: "ingress";
  readonly clusterName: string;
  readonly leaf: CertificateAndKey;
  readonly host: string;
  readonly port: number;
  readonly peers: readonly TrustedPeer[];
  readonly services: readonly { name: string; address: string; port: number }[];
}

export interface EgressSettings {
  readonly role: "egress";
  readonly clusterName: string;
  readonly leaf: CertificateAndKey;
  readonly host: string;
  readonly provider: { name: string; bundlePem: string; address: string; port: number };
  readonly mirrors: readonly { name: string; port: number }[];
}

/** The line a gateway process writes once it does its job. */
export const GATEWAY_READY = "gateway of the bench ready";
