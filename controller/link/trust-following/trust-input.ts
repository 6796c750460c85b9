import { createPrivateKey, X509Certificate } from "node:crypto";
import { errorMessage, TerminalError } from "../../../api/errors.ts";
import { GATEWAY_TLS_SECRET_NAME, INSTALL_NAMESPACE } from "../../../api/names.ts";
import type { Secret } from "../../../api/objects.ts";
import { REASONS } from "../../../api/reasons.ts";
import type { CertificateAndKey } from "../../../pki/authority.ts";
import { parseBundle, parseCertificate } from "../../../pki/certificate.ts";
import type { Problem, TrustInput } from "../health/health-inputs.ts";

const LEAF_SECRET = `Secret ${INSTALL_NAMESPACE}/${GATEWAY_TLS_SECRET_NAME}`;

/** This cluster's gateway leaf, or what keeps it from being used. */
export type OwnLeaf =
  | { readonly leaf: CertificateAndKey; readonly notAfterMs: number }
  | { readonly leaf: undefined; readonly problem: Problem };

/** Reads the gateways' leaf from its Secret. */
export function readOwnLeaf(secret: Secret | undefined): OwnLeaf {
  const certificatePem = decode(secret, "tls.crt");
  const privateKeyPem = decode(secret, "tls.key");
  if (certificatePem === "" || privateKeyPem === "") {
    return missingLeaf("is missing or has no tls.crt and tls.key; the controller issues it.");
  }
  try {
    const { notAfterMs } = parseCertificate(certificatePem);
    return new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(privateKeyPem))
      ? { leaf: { certificatePem, privateKeyPem }, notAfterMs }
      : missingLeaf("holds a key that does not belong to its certificate.");
  } catch (error) {
    return missingLeaf(`cannot be read: ${errorMessage(error)}`);
  }
}

/** What the certificates themselves say, before any gateway was asked. Pure. */
export function judgeCertificates(bundlePem: string, own: OwnLeaf, nowMs: number): TrustInput {
  let bundleUntilMs: number;
  try {
    bundleUntilMs = Math.max(...parseBundle(bundlePem).map(({ notAfterMs }) => notAfterMs));
  } catch (error) {
    if (!(error instanceof TerminalError)) throw error;
    return {
      problem: {
        reason: REASONS.TrustBundleInvalid,
        message: `spec.trustBundle: ${error.message}; take the provider's bundle anew with link join.`,
      },
    };
  }
  if (nowMs > bundleUntilMs) {
    return {
      bundleUntilMs,
      problem: {
        reason: REASONS.TrustBundleExpired,
        message: `every CA of spec.trustBundle has expired, the last at ${new Date(bundleUntilMs).toISOString()}; take the provider's bundle anew with link join.`,
      },
    };
  }
  if (own.leaf === undefined) return { problem: own.problem, bundleUntilMs };
  if (nowMs > own.notAfterMs) {
    const until = new Date(own.notAfterMs).toISOString();
    return {
      bundleUntilMs,
      problem: {
        reason: REASONS.OwnCertificateMissing,
        message: `${LEAF_SECRET}: its certificate expired at ${until}; look at the controller's Events for why it was not renewed.`,
      },
    };
  }
  return { validUntilMs: Math.min(bundleUntilMs, own.notAfterMs), bundleUntilMs };
}

function missingLeaf(what: string): OwnLeaf {
  return {
    leaf: undefined,
    problem: { reason: REASONS.OwnCertificateMissing, message: `${LEAF_SECRET} ${what}` },
  };
}

function decode(secret: Secret | undefined, key: string): string {
  return Buffer.from(secret?.data?.[key] ?? "", "base64").toString("utf8");
}
