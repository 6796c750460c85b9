import {
  CA_SECRET_NAME,
  GATEWAY_TLS_SECRET_NAME,
  gatewayIdentity,
  INSTALL_NAMESPACE,
} from "../../api/names.ts";
import type { Secret } from "../../api/objects.ts";
import { type Reason, REASONS } from "../../api/reasons.ts";
import { RESOURCES } from "../../api/resources.ts";
import type { KubeClient } from "../../kube/client/client.ts";
import { type CertificateInfo, parseCertificate } from "../../pki/certificate.ts";
import { dropExpired, mergeBundles } from "../../pki/trust.ts";
import type { LinkMetrics } from "../metrics.ts";
import { type Told, tell, warn } from "./identity-events.ts";
import { issuerBundle, leafProblem, secretText } from "./own-secrets.ts";

/** What somebody else keeps of this cluster's identity: cert-manager, or who writes the same Secrets. */
export interface ForeignSecrets {
  readonly leaf: Secret | undefined;
  /** Of the CA, if it is a CA of this cluster's own. */
  readonly authority: Secret | undefined;
}

/** A renewal is late once this share of a certificate's life is over; cert-manager renews at two thirds. */
const LATE_SHARE = 5 / 6;

/**
 * What others have to trust: the CA that the gateways' certificate came with,
 * and the CA that signs the next one. cert-manager leaves certificates as they
 * are when it renews their CA, so a new one is announced before it is used.
 * Undefined where the gateways' Secret names no CA. Pure.
 */
export function foreignBundle(
  { leaf, authority }: ForeignSecrets,
  nowMs: number,
): string | undefined {
  const issuers = leaf && issuerBundle(leaf);
  if (issuers === undefined) return undefined;
  const signer = authority && secretText(authority, "tls.crt");
  const isSigner = signer !== undefined && infoOf(signer)?.isAuthority === true;
  return dropExpired(mergeBundles(isSigner ? [issuers, signer] : [issuers]), nowMs);
}

/** What is wrong with a certificate that somebody else keeps, and what to do. */
export interface ForeignFinding {
  readonly reason: Reason;
  readonly message: string;
}

/** Judges the gateways' Secret that somebody else keeps; undefined when it is as it should be. Pure. */
export function judgeForeignLeaf(
  secrets: ForeignSecrets,
  clusterName: string,
  nowMs: number,
): ForeignFinding | undefined {
  const name = `Secret ${INSTALL_NAMESPACE}/${GATEWAY_TLS_SECRET_NAME}`;
  const fix = `look at Certificate ${GATEWAY_TLS_SECRET_NAME} and its Issuer: kubectl -n ${INSTALL_NAMESPACE} describe certificate ${GATEWAY_TLS_SECRET_NAME}`;
  const { leaf } = secrets;
  if (leaf === undefined) {
    return {
      reason: REASONS.LeafPending,
      message: `${name} is not there yet; cert-manager has to make it: ${fix}.`,
    };
  }
  const bundlePem = foreignBundle(secrets, nowMs);
  if (bundlePem === undefined) {
    return {
      reason: REASONS.LeafInvalid,
      message: `${name}: its ca.crt holds no certificate; use an Issuer that gives one (a CA issuer does): ${fix}.`,
    };
  }
  const problem = leafProblem(leaf, { bundlePem, identity: gatewayIdentity(clusterName) }, nowMs);
  if (problem !== undefined) {
    return { reason: REASONS.LeafInvalid, message: `${name}: ${problem}; ${fix}.` };
  }
  const { notBeforeMs, notAfterMs } = parseCertificate(secretText(leaf, "tls.crt"));
  if (nowMs < notBeforeMs + (notAfterMs - notBeforeMs) * LATE_SHARE) return undefined;
  return {
    reason: REASONS.LeafRenewalLate,
    message: `${name} has not been renewed and expires at ${new Date(notAfterMs).toISOString()}; ${fix}.`,
  };
}

/** Looks at both Secrets, says what is wrong and shows when they expire; returns the bundle to publish. */
export async function followForeign(
  options: Told & { client: KubeClient; clusterName: string; metrics: LinkMetrics },
  leaf: Secret | undefined,
  { signal, nowMs }: { signal: AbortSignal; nowMs: number },
): Promise<string | undefined> {
  const { client, clusterName, metrics } = options;
  const key = { namespace: INSTALL_NAMESPACE, name: CA_SECRET_NAME };
  const authority = await client.find<Secret>(RESOURCES.secrets, key, { signal });
  const finding = judgeForeignLeaf({ leaf, authority }, clusterName, nowMs);
  const secret = leaf ?? { metadata: { ...key, name: GATEWAY_TLS_SECRET_NAME } };
  if (finding?.reason === REASONS.LeafPending) {
    tell(options, secret, finding.reason, finding.message);
  } else if (finding !== undefined) {
    warn(options, secret, finding.reason, finding.message);
  }
  for (const [certificate, from] of [
    ["leaf", leaf],
    ["authority", authority],
  ] as const) {
    const info = from && infoOf(secretText(from, "tls.crt"));
    if (info !== undefined) {
      metrics.certificateExpiry.set({ certificate }, info.notAfterMs / 1000);
    }
  }
  return foreignBundle({ leaf, authority }, nowMs);
}

function infoOf(pem: string): CertificateInfo | undefined {
  try {
    return parseCertificate(pem);
  } catch {
    return undefined;
  }
}
