import { describe, expect, it } from "vitest";
import type { Secret } from "../../../api/objects.ts";
import { createAuthority, issueLeaf } from "../../../pki/authority.ts";
import { judgeCertificates, readOwnLeaf } from "./trust-input.ts";

const NOW_MS = Date.now();
const DAY_MS = 86_400_000;
const ca = await createAuthority({ clusterName: "west", nowMs: NOW_MS });
const identity = "spiffe://east/isthmus/gateway";
const leaf = await issueLeaf(ca, { identity, nowMs: NOW_MS });

function encode(text: string): string {
  return Buffer.from(text).toString("base64");
}

function secret(certificatePem: string, privateKeyPem: string): Secret {
  return {
    metadata: { name: "isthmus-gateway-tls" },
    data: { "tls.crt": encode(certificatePem), "tls.key": encode(privateKeyPem) },
  };
}

const OWN = readOwnLeaf(secret(leaf.certificatePem, leaf.privateKeyPem));

describe("the certificates of a link", () => {
  it("are good until the first of them ends", () => {
    const { problem, validUntilMs } = judgeCertificates(ca.certificatePem, OWN, NOW_MS);
    expect(problem).toBeUndefined();
    expect(validUntilMs).toBeCloseTo(NOW_MS + DAY_MS, -4);
  });

  it("tell when the bundle ends, also of one that has ended", () => {
    const end = (nowMs: number) => judgeCertificates(ca.certificatePem, OWN, nowMs).bundleUntilMs;
    expect(end(NOW_MS)).toBeGreaterThan(NOW_MS + 3000 * DAY_MS);
    expect(end(NOW_MS + 4000 * DAY_MS)).toBe(end(NOW_MS));
    expect(judgeCertificates("?", OWN, NOW_MS).bundleUntilMs).toBeUndefined();
  });

  it.each([
    {
      name: "a bundle that is none",
      bundle: "?",
      own: OWN,
      at: NOW_MS,
      reason: "TrustBundleInvalid",
    },
    {
      name: "a bundle that has expired",
      bundle: ca.certificatePem,
      own: OWN,
      at: NOW_MS + 4000 * DAY_MS,
      reason: "TrustBundleExpired",
    },
    {
      name: "a leaf that has expired",
      bundle: ca.certificatePem,
      own: OWN,
      at: NOW_MS + 2 * DAY_MS,
      reason: "OwnCertificateMissing",
    },
    {
      name: "no leaf",
      bundle: ca.certificatePem,
      own: readOwnLeaf(undefined),
      at: NOW_MS,
      reason: "OwnCertificateMissing",
    },
    {
      name: "a leaf with the key of another",
      bundle: ca.certificatePem,
      own: readOwnLeaf(secret(leaf.certificatePem, ca.privateKeyPem)),
      at: NOW_MS,
      reason: "OwnCertificateMissing",
    },
    {
      name: "a leaf that cannot be read",
      bundle: ca.certificatePem,
      own: readOwnLeaf(secret("?", "?")),
      at: NOW_MS,
      reason: "OwnCertificateMissing",
    },
  ])("are not good with $name", ({ bundle, own, at, reason }) => {
    expect(judgeCertificates(bundle, own, at).problem?.reason).toBe(reason);
  });
});
