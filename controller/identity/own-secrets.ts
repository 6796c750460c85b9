import { createPrivateKey, X509Certificate } from "node:crypto";
import { errorMessage } from "../../api/errors.ts";
import { CA_ROTATION_KEYS, LABELS, MANAGED_BY } from "../../api/names.ts";
import type { Secret } from "../../api/objects.ts";
import type { CertificateAndKey } from "../../pki/authority.ts";
import { parseBundle, parseCertificate, renewAtMs, verifyLeaf } from "../../pki/certificate.ts";
import { dropExpired, mergeBundles, withoutCertificate } from "../../pki/trust.ts";

/** Put by cert-manager on the Secrets it keeps. */
const CERT_MANAGER_ANNOTATION = "cert-manager.io/certificate-name";

/** The cluster's own CA as its Secret has it. */
export interface OwnAuthority {
  /** The CA that signs. */
  readonly authority: CertificateAndKey;
  /** The CA that will sign, while a rotation announces it. */
  readonly next: CertificateAndKey | undefined;
  /** The CA that signed before, until a rotation ends. */
  readonly previousPem: string | undefined;
  /** What an operator put into the bundle besides; may be empty. */
  readonly othersPem: string;
  /** What others have to trust: all of these, but for those that have expired. */
  readonly bundlePem: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly nextNotAfterMs: number | undefined;
}

/** What is to be done about the CA. */
export type AuthorityPlan =
  | { readonly action: "create" }
  | { readonly action: "none"; readonly own: OwnAuthority }
  /** It is there and cannot be used: never overwritten, since peers trust what was there. */
  | { readonly action: "report"; readonly message: string };

/** Judges the CA Secret. Pure. */
export function planAuthority(secret: Secret | undefined, nowMs: number): AuthorityPlan {
  if (secret === undefined) return { action: "create" };
  const certificatePem = secretText(secret, "tls.crt");
  const privateKeyPem = secretText(secret, "tls.key");
  if (certificatePem === "" || privateKeyPem === "") {
    return report("it has no tls.crt and tls.key");
  }
  try {
    const info = parseCertificate(certificatePem);
    if (!info.isAuthority) return report("its certificate is not that of a CA");
    if (nowMs > info.notAfterMs) return report("its certificate has expired");
    if (!isPair(certificatePem, privateKeyPem)) return report("its key is not its certificate's");
    const authority = { certificatePem, privateKeyPem };
    const { notBeforeMs, notAfterMs } = info;
    const own = { authority, notBeforeMs, notAfterMs, ...besides(secret, authority, nowMs) };
    return { action: "none", own };
  } catch (error) {
    return report(errorMessage(error));
  }
}

/** What the Secret holds beside the CA that signs. */
function besides(secret: Secret, { certificatePem }: CertificateAndKey, nowMs: number) {
  const next = nextAuthority(secret);
  const previous = secretText(secret, CA_ROTATION_KEYS.previousCertificate);
  const previousPem = isAuthority(previous) ? previous : undefined;
  const listed = secretText(secret, "ca.crt");
  const othersPem = listed === "" ? "" : withoutCertificate(listed, certificatePem);
  const members = [certificatePem, next?.certificatePem ?? "", previousPem ?? "", othersPem];
  return {
    next,
    previousPem,
    othersPem,
    bundlePem: dropExpired(mergeBundles(members), nowMs),
    nextNotAfterMs: next && parseCertificate(next.certificatePem).notAfterMs,
  };
}

/** A next CA that cannot sign is none: the rotation then makes another. */
function nextAuthority(secret: Secret): CertificateAndKey | undefined {
  const certificatePem = secretText(secret, CA_ROTATION_KEYS.nextCertificate);
  const privateKeyPem = secretText(secret, CA_ROTATION_KEYS.nextKey);
  return isAuthority(certificatePem) && isPair(certificatePem, privateKeyPem)
    ? { certificatePem, privateKeyPem }
    : undefined;
}

function isAuthority(certificatePem: string): boolean {
  try {
    return parseCertificate(certificatePem).isAuthority;
  } catch {
    return false;
  }
}

/** What is to be done about the gateways' leaf. */
export type LeafPlan =
  | { readonly action: "issue" }
  | { readonly action: "none"; readonly notAfterMs: number; readonly dueMs: number }
  /** Someone else keeps it, and it will not do. */
  | { readonly action: "report"; readonly message: string };

/** Judges the gateways' leaf against the CAs that may have signed it. Pure. */
export function planLeaf(
  secret: Secret | undefined,
  expected: { bundlePem: string; identity: string },
  nowMs: number,
): LeafPlan {
  if (secret === undefined) return { action: "issue" };
  const problem = leafProblem(secret, expected, nowMs);
  if (!isOurSecret(secret)) {
    return problem === undefined ? keepLeaf(secret) : { action: "report", message: problem };
  }
  if (problem !== undefined) return { action: "issue" };
  const kept = keepLeaf(secret);
  return nowMs >= kept.dueMs ? { action: "issue" } : kept;
}

/** Whether the Secret is cert-manager's. */
export function isCertManagers(secret: Secret | undefined): boolean {
  return secret?.metadata.annotations?.[CERT_MANAGER_ANNOTATION] !== undefined;
}

/** The bundle that comes with a Secret whose issuer is not us. */
export function issuerBundle(secret: Secret): string | undefined {
  const bundlePem = secretText(secret, "ca.crt");
  try {
    parseBundle(bundlePem);
    return bundlePem;
  } catch {
    return undefined;
  }
}

/** The data of a Secret of type kubernetes.io/tls. */
export function tlsData(pair: CertificateAndKey, bundlePem: string): Record<string, string> {
  return {
    "tls.crt": encode(pair.certificatePem),
    "tls.key": encode(pair.privateKeyPem),
    "ca.crt": encode(bundlePem),
  };
}

/** Whether we made the Secret and keep it. */
export function isOurSecret(secret: Secret): boolean {
  return secret.metadata.labels?.[LABELS.managedBy] === MANAGED_BY && !isCertManagers(secret);
}

/** What is wrong with a leaf's Secret, whoever keeps it; undefined: nothing. Pure. */
export function leafProblem(
  secret: Secret,
  { bundlePem, identity }: { bundlePem: string; identity: string },
  nowMs: number,
): string | undefined {
  const certificatePem = secretText(secret, "tls.crt");
  const verdict = verifyLeaf({ certificatePem, bundlePem, identity, nowMs });
  if (!verdict.ok) return verdict.message;
  return isPair(certificatePem, secretText(secret, "tls.key"))
    ? undefined
    : "its key is not its certificate's";
}

function keepLeaf(secret: Secret): { action: "none"; notAfterMs: number; dueMs: number } {
  const info = parseCertificate(secretText(secret, "tls.crt"));
  return { action: "none", notAfterMs: info.notAfterMs, dueMs: renewAtMs(info) };
}

function isPair(certificatePem: string, privateKeyPem: string): boolean {
  try {
    return new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(privateKeyPem));
  } catch {
    return false;
  }
}

function report(message: string): { action: "report"; message: string } {
  return { action: "report", message };
}

/** A text of a Secret's data; empty where there is none. */
export function secretText(secret: Secret, key: string): string {
  return Buffer.from(secret.data?.[key] ?? "", "base64").toString("utf8");
}

/** Text as the data of a Secret has it. */
export function encode(text: string): string {
  return Buffer.from(text).toString("base64");
}
