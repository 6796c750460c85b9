import { writeFile } from "node:fs/promises";
import path from "node:path";
import { gatewayIdentity } from "../../../api/names.ts";
import { runOk } from "../../bed/command.ts";
import type { Identity } from "../gateway/two-gateways.ts";

/**
 * The same cluster with a leaf that OpenSSL made with its CA, and that has a
 * DNS name beside its URI SAN: clients that insist on a host name check the
 * SNI that they sent, which names a consumer (`east.peer.isthmus`).
 */
export async function withNamedLeaf(identity: Identity, folder: string): Promise<Identity> {
  const file = (name: string) => path.join(folder, name);
  const names = `URI:${gatewayIdentity(identity.name)},DNS:*.peer.isthmus`;
  await writeFile(file("ca.pem"), identity.ca.certificatePem);
  await writeFile(file("ca-key.pem"), identity.ca.privateKeyPem, { mode: 0o600 });
  await writeFile(
    file("request.conf"),
    [
      "[req]",
      "distinguished_name = name",
      "x509_extensions = leaf",
      "[name]",
      "[leaf]",
      `subjectAltName = ${names}`,
      "basicConstraints = critical, CA:FALSE",
      "keyUsage = critical, digitalSignature",
      "extendedKeyUsage = clientAuth, serverAuth",
      "authorityKeyIdentifier = keyid",
      "",
    ].join("\n"),
  );
  const printed = await runOk([
    "openssl",
    "req",
    "-x509",
    "-config",
    file("request.conf"),
    "-subj",
    "/CN=west gateway",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-noenc",
    "-days",
    "1",
    "-CA",
    file("ca.pem"),
    "-CAkey",
    file("ca-key.pem"),
    "-keyout",
    "-",
    "-out",
    "-",
  ]);
  const block = (label: string) =>
    new RegExp(`-----BEGIN ${label}-----[^-]+-----END ${label}-----\\n`).exec(printed)?.[0] ?? "";
  return {
    ...identity,
    leaf: { certificatePem: block("CERTIFICATE"), privateKeyPem: block("PRIVATE KEY") },
  };
}
