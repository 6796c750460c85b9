// @peculiar/x509 needs it loaded first.
// oxlint-disable-next-line import/no-unassigned-import
import "reflect-metadata";
import { X509Certificate } from "node:crypto";
import { ExtendedKeyUsage, SubjectAlternativeNameExtension } from "@peculiar/x509";
import { X509Certificate as Asn1Certificate } from "@peculiar/x509";
import { TerminalError, errorMessage } from "../api/errors.ts";
import { REASONS } from "../api/reasons.ts";

/** What Isthmus reads of a certificate. */
export interface CertificateInfo {
  subject: string;
  issuer: string;
  serial: string;
  notBeforeMs: number;
  notAfterMs: number;
  uriSans: string[];
  isAuthority: boolean;
  /** SHA-256 of the DER, in hexadecimal with colons. */
  fingerprint: string;
}

export const MAX_BUNDLE_BYTES = 64 * 1024;
export const MAX_BUNDLE_CERTIFICATES = 16;

const CERTIFICATE_BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/**
 * Reads the first certificate of a PEM text (the leaf, when a chain follows).
 * Throws a TerminalError saying what is wrong with the text.
 */
export function parseCertificate(pem: string): CertificateInfo {
  const [first] = splitPem(pem);
  if (first === undefined) {
    throw invalid("holds no certificate");
  }
  return infoOf(readCertificate(first));
}

/**
 * Reads every certificate of a PEM bundle of at most {@link MAX_BUNDLE_BYTES}
 * and {@link MAX_BUNDLE_CERTIFICATES}. Throws a TerminalError when it is too
 * large, empty, or holds something that is not a certificate.
 */
export function parseBundle(pem: string): CertificateInfo[] {
  return readBundle(pem).map(infoOf);
}

/** When a certificate is due for renewal: after two thirds of its life, in epoch ms. */
export function renewAtMs(info: Pick<CertificateInfo, "notBeforeMs" | "notAfterMs">): number {
  return info.notBeforeMs + Math.floor(((info.notAfterMs - info.notBeforeMs) * 2) / 3);
}

/** A verdict on a leaf; `reason` is CamelCase, the message says what was found. */
export type LeafVerdict = { ok: true } | { ok: false; reason: LeafProblem; message: string };

type LeafProblem =
  | "CertificateInvalid"
  | "CertificateExpired"
  | "CertificateNotYetValid"
  | "CertificateUntrusted"
  | "IdentityMismatch"
  | "KeyUsageInvalid";

/**
 * Judges a leaf as the other side's gateway will: signed by a CA of the
 * bundle that is itself in its validity, within its own validity at `nowMs`,
 * meant for client and server use, and naming exactly `identity` (RFC 5280;
 * the leaf must be signed by the CA itself, without intermediates).
 * Never throws.
 */
export function verifyLeaf(options: {
  certificatePem: string;
  bundlePem: string;
  identity: string;
  nowMs: number;
}): LeafVerdict {
  const { identity, nowMs } = options;
  let leaf: X509Certificate;
  let authorities: X509Certificate[];
  try {
    leaf = readCertificate(splitPem(options.certificatePem)[0] ?? "");
    authorities = readBundle(options.bundlePem);
  } catch (error) {
    return { ok: false, reason: "CertificateInvalid", message: errorMessage(error) };
  }
  return (
    untrusted(leaf, authorities, nowMs) ??
    outsideValidity(infoOf(leaf), nowMs) ??
    wrongUsage(leaf) ??
    wrongIdentity(infoOf(leaf), identity) ?? { ok: true }
  );
}

/**
 * Whether a bundle vouches for a leaf of exactly that identity, whatever the
 * time: signed by a CA of the bundle itself, meant for client and server use.
 * For connections made while it was valid: they outlive it, but not the
 * removal of its CA from the bundle. Never throws.
 */
export function isVouchedFor(options: {
  certificatePem: string;
  bundlePem: string;
  identity: string;
}): boolean {
  try {
    const leaf = readCertificate(splitPem(options.certificatePem)[0] ?? "");
    const { uriSans } = infoOf(leaf);
    return (
      signerOf(leaf, readBundle(options.bundlePem)) !== undefined &&
      wrongUsage(leaf) === undefined &&
      identityProblem(uriSans, options.identity) === undefined
    );
  } catch {
    return false;
  }
}

/** The reason why a certificate does not name exactly `identity`, or undefined when it does. */
export function identityProblem(uriSans: readonly string[], identity: string): string | undefined {
  if (uriSans.length === 1 && uriSans[0] === identity) {
    return undefined;
  }
  const found = uriSans.length === 0 ? "no URI" : uriSans.join(", ");
  return `the certificate names ${found}, expected exactly ${identity}`;
}

/** The URI subject alternative names of a certificate in DER. Throws when it cannot be parsed. */
export function uriSansOf(der: Uint8Array): string[] {
  const names = new Asn1Certificate(new Uint8Array(der)).getExtension(
    SubjectAlternativeNameExtension,
  )?.names.items;
  return (names ?? []).filter((name) => name.type === "url").map((name) => name.value);
}

function untrusted(
  leaf: X509Certificate,
  authorities: readonly X509Certificate[],
  nowMs: number,
): LeafVerdict | undefined {
  const problem = "CertificateUntrusted";
  const signer = signerOf(leaf, authorities);
  if (signer === undefined) {
    return {
      ok: false,
      reason: problem,
      message: `no CA of the trust bundle signed the certificate (its issuer is ${oneLine(leaf.issuer)})`,
    };
  }
  const validity = outsideValidity(infoOf(signer), nowMs);
  return validity === undefined || validity.ok
    ? undefined
    : { ok: false, reason: problem, message: `its CA: ${validity.message}` };
}

function signerOf(
  leaf: X509Certificate,
  authorities: readonly X509Certificate[],
): X509Certificate | undefined {
  return authorities.find(
    (authority) => authority.ca && leaf.checkIssued(authority) && leaf.verify(authority.publicKey),
  );
}

function outsideValidity(info: CertificateInfo, nowMs: number): LeafVerdict | undefined {
  if (nowMs < info.notBeforeMs) {
    const from = new Date(info.notBeforeMs).toISOString();
    const message = `the certificate is not valid before ${from}; check the clocks`;
    return { ok: false, reason: "CertificateNotYetValid", message };
  }
  if (nowMs > info.notAfterMs) {
    const until = new Date(info.notAfterMs).toISOString();
    return {
      ok: false,
      reason: "CertificateExpired",
      message: `the certificate expired at ${until}`,
    };
  }
  return undefined;
}

function wrongUsage(leaf: X509Certificate): LeafVerdict | undefined {
  // node:crypto's keyUsage is the extended key usage, as OIDs.
  const usages: readonly string[] = leaf.keyUsage ?? [];
  const needed = [ExtendedKeyUsage.clientAuth, ExtendedKeyUsage.serverAuth];
  if (!leaf.ca && needed.every((usage) => usages.includes(usage))) {
    return undefined;
  }
  const message = leaf.ca
    ? "the certificate is that of a CA, a leaf is needed"
    : "the certificate is not meant for both client and server authentication";
  return { ok: false, reason: "KeyUsageInvalid", message };
}

function wrongIdentity(info: CertificateInfo, identity: string): LeafVerdict | undefined {
  const message = identityProblem(info.uriSans, identity);
  return message === undefined ? undefined : { ok: false, reason: "IdentityMismatch", message };
}

function infoOf(certificate: X509Certificate): CertificateInfo {
  return {
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    serial: certificate.serialNumber,
    notBeforeMs: certificate.validFromDate.getTime(),
    notAfterMs: certificate.validToDate.getTime(),
    uriSans: uriSansOf(certificate.raw),
    isAuthority: certificate.ca,
    fingerprint: certificate.fingerprint256,
  };
}

function readBundle(pem: string): X509Certificate[] {
  const blocks = splitPem(pem);
  if (blocks.length === 0) {
    throw invalid("holds no certificate");
  }
  return blocks.map(readCertificate);
}

/** The certificate blocks of a PEM text, within the bounds; anything else in it but blanks and comments is refused. */
export function splitPem(pem: string): string[] {
  const bytes = Buffer.byteLength(pem);
  if (bytes > MAX_BUNDLE_BYTES) {
    throw invalid(`has ${bytes} bytes, at most ${MAX_BUNDLE_BYTES} are accepted`);
  }
  const blocks = pem.match(CERTIFICATE_BLOCK) ?? [];
  if (blocks.length > MAX_BUNDLE_CERTIFICATES) {
    throw invalid(
      `holds ${blocks.length} certificates, at most ${MAX_BUNDLE_CERTIFICATES} are accepted`,
    );
  }
  const rest = pem.replaceAll(CERTIFICATE_BLOCK, "");
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(rest)) {
    throw invalid("holds a private key: only certificates belong there");
  }
  if (rest.includes("-----BEGIN") || rest.includes("-----END")) {
    throw invalid("holds a PEM block that is not a whole certificate");
  }
  return blocks;
}

function readCertificate(pem: string): X509Certificate {
  try {
    const certificate = new X509Certificate(pem);
    uriSansOf(certificate.raw);
    return certificate;
  } catch (error) {
    throw invalid(`holds a certificate that cannot be parsed: ${errorMessage(error)}`, error);
  }
}

function invalid(what: string, cause?: unknown): TerminalError {
  return new TerminalError(REASONS.TrustBundleInvalid, `the PEM text ${what}`, { cause });
}

/** node:crypto writes one relative name a line; control characters are dropped (the text is hostile). */
function oneLine(name: string | undefined): string {
  return (name ?? "")
    .split("\n")
    .join(", ")
    .replaceAll(/\p{Cc}/gu, "");
}
