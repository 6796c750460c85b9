import { randomUUID, webcrypto } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { CertificateAndKey } from "../../../pki/authority.ts";

const KEY_ALGORITHM = { name: "ECDSA", namedCurve: "P-256" } as const;
const BACKDATE_MS = 60_000;
const LIFETIME_MS = 3_600_000;

export interface OddLeaf {
  /** URI SANs, in this order. */
  identities: readonly string[];
  /** Signs itself when absent. */
  issuer?: CertificateAndKey;
  /** Claims to be a CA. */
  isAuthority?: boolean;
  /** Extended key usages: both sides' when absent, no extension when empty. */
  usages?: readonly ("clientAuth" | "serverAuth" | "codeSigning")[];
}

/** A certificate such as no authority of ours makes, valid for an hour. `certificatePem` ends with that of its issuer. */
export async function oddLeaf({
  identities,
  issuer,
  isAuthority = false,
  usages = ["clientAuth", "serverAuth"],
}: OddLeaf): Promise<CertificateAndKey> {
  const keys = await webcrypto.subtle.generateKey(KEY_ALGORITHM, true, ["sign", "verify"]);
  const parent = issuer === undefined ? undefined : new X509Certificate(issuer.certificatePem);
  const nowMs = Date.now();
  const subject = `CN=odd ${randomUUID()}`;
  const certificate = await X509CertificateGenerator.create({
    subject,
    issuer: parent?.subject ?? subject,
    notBefore: new Date(nowMs - BACKDATE_MS),
    notAfter: new Date(nowMs + LIFETIME_MS),
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    publicKey: keys.publicKey,
    signingKey: issuer === undefined ? keys.privateKey : await privateKeyOf(issuer),
    extensions: [
      new BasicConstraintsExtension(isAuthority, undefined, true),
      isAuthority
        ? new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.digitalSignature, true)
        : new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new SubjectAlternativeNameExtension(
        identities.map((value) => ({ type: "url" as const, value })),
      ),
      ...(usages.length === 0
        ? []
        : [new ExtendedKeyUsageExtension(usages.map((usage) => ExtendedKeyUsage[usage]))]),
      ...(parent === undefined ? [] : [await AuthorityKeyIdentifierExtension.create(parent)]),
    ],
  });
  const der = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    certificatePem: `${certificate.toString("pem")}\n${issuer?.certificatePem ?? ""}`,
    privateKeyPem: PemConverter.encode(der, "PRIVATE KEY"),
  };
}

async function privateKeyOf({ privateKeyPem }: CertificateAndKey): Promise<webcrypto.CryptoKey> {
  const der = PemConverter.decodeFirst(privateKeyPem);
  return await webcrypto.subtle.importKey("pkcs8", der, KEY_ALGORITHM, false, ["sign"]);
}
