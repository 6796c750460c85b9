import "reflect-metadata";
import { randomBytes, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

/** A certificate or public key with its private key, in PEM. */
export interface KeyPair {
  readonly certPem: string;
  readonly keyPem: string;
}

/** Who a certificate names. */
interface Subject {
  readonly commonName: string;
  readonly organization?: string;
  /** IP addresses and DNS names the certificate is valid for as a server. */
  readonly ips?: readonly string[];
  readonly dnsNames?: readonly string[];
}

/** The certificate authority of one cluster. */
export interface ClusterAuthority {
  readonly certPem: string;
  readonly keyPem: string;
  issue(subject: Subject): Promise<KeyPair>;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const lifetimeMs = 30 * 24 * 3_600_000;
// A client whose clock is a little behind must still accept them.
const backdateMs = 3_600_000;

x509.cryptoProvider.set(webcrypto);

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

async function privatePem(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
}

function validity() {
  const nowMs = Date.now();
  return {
    // The first bit is cleared: a serial number must be positive (RFC 5280, 4.1.2.2).
    serialNumber: `40${randomBytes(8).toString("hex")}`,
    notBefore: new Date(nowMs - backdateMs),
    notAfter: new Date(nowMs + lifetimeMs),
    signingAlgorithm: algorithm,
  };
}

/** Makes a certificate authority (ECDSA P-256, valid for 30 days) for a cluster. */
export async function createAuthority(commonName: string): Promise<ClusterAuthority> {
  const keys = await newKeys();
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(),
    name: `CN=${commonName}`,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
    ],
  });
  return {
    certPem: authority.toString("pem"),
    keyPem: await privatePem(keys.privateKey),
    issue: (subject) => issue(authority, keys.privateKey, subject),
  };
}

async function issue(
  authority: x509.X509Certificate,
  signingKey: webcrypto.CryptoKey,
  subject: Subject,
): Promise<KeyPair> {
  const keys = await newKeys();
  const names = [
    ...(subject.ips ?? []).map((value) => ({ type: "ip" as const, value })),
    ...(subject.dnsNames ?? []).map((value) => ({ type: "dns" as const, value })),
  ];
  const certificate = await x509.X509CertificateGenerator.create({
    ...validity(),
    subject: [
      ...(subject.organization ? [{ O: [subject.organization] }] : []),
      { CN: [subject.commonName] },
    ],
    issuer: authority.subject,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
    ],
  });
  return { certPem: certificate.toString("pem"), keyPem: await privatePem(keys.privateKey) };
}

/** Makes the key pair that signs service account tokens; `certPem` holds the bare public key. */
export async function createTokenKeys(): Promise<KeyPair> {
  const keys = await newKeys();
  return {
    certPem: x509.PemConverter.encode(
      await webcrypto.subtle.exportKey("spki", keys.publicKey),
      "PUBLIC KEY",
    ),
    keyPem: await privatePem(keys.privateKey),
  };
}
