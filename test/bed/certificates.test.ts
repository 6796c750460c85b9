import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createAuthority, createTokenKeys } from "./certificates.ts";
import { kubeconfigText, readKubeconfig } from "./kubeconfig.ts";

test("an issued certificate names its subject and hosts, and verifies against its authority alone", async () => {
  const [authority, other] = await Promise.all([
    createAuthority("west-ca"),
    createAuthority("west-ca"),
  ]);
  const issued = await authority.issue({
    commonName: "admin",
    organization: "system:masters",
    ips: ["10.200.0.10"],
    dnsNames: ["localhost"],
  });
  const certificate = new X509Certificate(issued.certPem);
  expect(certificate.subject).toBe("O=system:masters\nCN=admin");
  expect(certificate.checkIP("10.200.0.10")).toBe("10.200.0.10");
  expect(certificate.checkHost("localhost")).toBe("localhost");
  expect(certificate.checkPrivateKey(createPrivateKey(issued.keyPem))).toBe(true);
  expect(certificate.verify(new X509Certificate(authority.certPem).publicKey)).toBe(true);
  expect(certificate.verify(new X509Certificate(other.certPem).publicKey)).toBe(false);
});

test("token keys are a private key and its public key", async () => {
  const { certPem, keyPem } = await createTokenKeys();
  const derived = createPublicKey(keyPem).export({ type: "spki", format: "pem" });
  expect(derived.toString().replaceAll(/\s/g, "")).toBe(certPem.replaceAll(/\s/g, ""));
});

test("a kubeconfig read back gives the access it was written from", () => {
  const folder = mkdtempSync(join(tmpdir(), "isthmus-kubeconfig-"));
  try {
    const path = join(folder, "kubeconfig");
    const access = {
      server: "https://10.200.0.10:6443",
      caPem: "ca",
      certPem: "cert",
      keyPem: "key",
    };
    writeFileSync(path, kubeconfigText([{ name: "west", ...access }]));
    expect(readKubeconfig(path)).toEqual(access);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
