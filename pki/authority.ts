// @peculiar/x509 needs it loaded first.
// oxlint-disable-next-line import/no-unassigned-import
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";

/** A certificate and its private key (PKCS #8), both PEM. */
export interface CertificateAndKey {
  certificatePem: string;
  privateKeyPem: string;
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

const AUTHORITY_LIFETIME_MS = 3650 * DAY_MS;
/** How long a gateway's certificate lives, in ms. */
export const LEAF_LIFETIME_MS = DAY_MS;
/** Certificates begin this long before they are made: the clocks of two clusters differ. */
export const BACKDATE_MS = 15 * MINUTE_MS;

const KEY_ALGORITHM = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNING_ALGORITHM = { name: "ECDSA", hash: "SHA-256" } as const;

/**
 * Makes a cluster's own CA: ECDSA P-256, path length 0 (it signs leaves and no
 * further CA). `nowMs` is the wall clock, `lifetimeMs` defaults to ten years.
 */
export async function createAuthority(options: {
  clusterName: string;
  nowMs: number;
  lifetimeMs?: number;
}): Promise<CertificateAndKey> {
  const { clusterName, nowMs, lifetimeMs = AUTHORITY_LIFETIME_MS } = options;
  const keys = await webcrypto.subtle.generateKey(KEY_ALGORITHM, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [`isthmus CA ${clusterName}`] }],
    ...validity(nowMs, lifetimeMs, Number.POSITIVE_INFINITY),
    signingAlgorithm: SIGNING_ALGORITHM,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    certificatePem: endLine(certificate.toString("pem")),
    privateKeyPem: await privateKeyPem(keys.privateKey),
  };
}

/**
 * Issues a leaf for client and server use whose only name is the URI SAN
 * `identity`. It begins {@link BACKDATE_MS} before `nowMs` and never outlives
 * its CA. Throws when the CA's certificate or key cannot be read.
 */
export async function issueLeaf(
  authority: CertificateAndKey,
  options: { identity: string; nowMs: number; lifetimeMs?: number },
): Promise<CertificateAndKey> {
  const { identity, nowMs, lifetimeMs = LEAF_LIFETIME_MS } = options;
  const issuer = new X509Certificate(authority.certificatePem);
  const signingKey = await webcrypto.subtle.importKey(
    "pkcs8",
    PemConverter.decodeFirst(authority.privateKeyPem),
    KEY_ALGORITHM,
    false,
    ["sign"],
  );
  const keys = await webcrypto.subtle.generateKey(KEY_ALGORITHM, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.create({
    subject: [{ CN: ["isthmus gateway"] }],
    issuer: issuer.subjectName,
    ...validity(nowMs, lifetimeMs, issuer.notAfter.getTime()),
    signingAlgorithm: SIGNING_ALGORITHM,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth, ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension([{ type: "url", value: identity }]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      // Old and new CA share a subject during rotation: the key id tells them apart.
      await AuthorityKeyIdentifierExtension.create(issuer),
    ],
  });
  return {
    certificatePem: endLine(certificate.toString("pem")),
    privateKeyPem: await privateKeyPem(keys.privateKey),
  };
}

function validity(nowMs: number, lifetimeMs: number, latestMs: number) {
  return {
    notBefore: new Date(nowMs - BACKDATE_MS),
    notAfter: new Date(Math.min(nowMs + lifetimeMs, latestMs)),
  };
}

async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  const der = await webcrypto.subtle.exportKey("pkcs8", key);
  return endLine(PemConverter.encode(der, "PRIVATE KEY"));
}

function endLine(pem: string): string {
  return `${pem.trimEnd()}\n`;
}
