import { beforeAll, describe, expect, test } from "vitest";
import type { Link } from "../../../../api/link.ts";
import { gatewayIdentity } from "../../../../api/names.ts";
import type { Secret } from "../../../../api/objects.ts";
import type { Peer } from "../../../../api/peer.ts";
import { type CertificateAndKey, createAuthority, issueLeaf } from "../../../../pki/authority.ts";
import type { InstallationFacts } from "../facts/cluster-facts.ts";
import type { Finding } from "../report.ts";
import { judgeLinkTrust, judgeOwnCertificates, judgePeerTrust } from "./certificates.ts";

const NOW_MS = Date.UTC(2026, 0, 1);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

let west: { authority: CertificateAndKey; leaf: CertificateAndKey };
let other: CertificateAndKey;

beforeAll(async () => {
  const authority = await createAuthority({ clusterName: "west", nowMs: NOW_MS });
  const identity = gatewayIdentity("west");
  west = { authority, leaf: await issueLeaf(authority, { identity, nowMs: NOW_MS }) };
  other = await createAuthority({ clusterName: "west", nowMs: NOW_MS });
});

function secret(certificatePem: string): { value: Secret } {
  const data = { "tls.crt": Buffer.from(certificatePem).toString("base64") };
  return { value: { metadata: { name: "s" }, data } };
}

function facts(bundlePem = west.authority.certificatePem): InstallationFacts {
  const unknown = { unknown: "not read" };
  const data = { clusterName: "west", "ca.crt": bundlePem };
  return {
    config: unknown,
    identity: { value: { metadata: { name: "i" }, data } },
    links: unknown,
    peers: unknown,
    workloads: unknown,
    lease: unknown,
    gatewayService: unknown,
    authority: secret(west.authority.certificatePem),
    leaf: secret(west.leaf.certificatePem),
  };
}

function words(findings: readonly Finding[]): string[] {
  return findings.map(({ id, result }) => `${id} ${result}`);
}

function own(nowMs: number, seen = facts()): string[] {
  return words(judgeOwnCertificates(seen, { context: "west", nowMs }));
}

describe("a cluster's own certificates", () => {
  test("are as they should be, also while the leaf is due for renewal", () => {
    const good = ["certificate-chain ok", "certificate-expiry ok", "certificate-expiry ok"];
    expect(own(NOW_MS)).toEqual(good);
    expect(own(NOW_MS + 16.5 * HOUR_MS)).toEqual(good);
  });

  test("warn of a leaf that was not renewed, and fail once it has expired", () => {
    expect(own(NOW_MS + 18 * HOUR_MS)[2]).toBe("certificate-expiry warn");
    expect(own(NOW_MS + 25 * HOUR_MS)).toEqual([
      "certificate-chain fail",
      "certificate-expiry ok",
      "certificate-expiry fail",
    ]);
  });

  test("warn of a CA within a month of its end", () => {
    expect(own(NOW_MS + 3649 * DAY_MS - 20 * DAY_MS)[1]).toBe("certificate-expiry warn");
  });

  test("fail where what is published does not vouch for the leaf", () => {
    expect(own(NOW_MS, facts(other.certificatePem))[0]).toBe("certificate-chain fail");
  });

  test("fail or are skipped where a Secret is missing or cannot be read", () => {
    const missing = { ...facts(), leaf: { value: undefined } };
    expect(own(NOW_MS, missing)).toEqual([
      "certificate-chain fail",
      "certificate-expiry ok",
      "certificate-expiry skip",
    ]);
    const forbidden = { ...facts(), leaf: { unknown: "forbidden" } };
    expect(own(NOW_MS, forbidden)[0]).toBe("certificate-chain skip");
  });
});

function link(trustBundle: string): Link {
  const gateway = { identity: gatewayIdentity("west") };
  const spec = { credentialsSecretRef: { name: "s" }, gateway, trustBundle };
  return { metadata: { name: "west" }, spec };
}

function judgeTrust(bundle: string, provider?: InstallationFacts, nowMs = NOW_MS): string[] {
  return words(judgeLinkTrust(link(bundle), provider, nowMs));
}

describe("what a Link trusts", () => {
  test("vouches for what the provider's gateways have", () => {
    expect(judgeTrust(west.authority.certificatePem, facts())).toEqual([
      "certificate-expiry ok",
      "certificate-chain ok",
    ]);
    expect(judgeTrust(west.authority.certificatePem)).toEqual(["certificate-expiry ok"]);
  });

  test("does not, since another CA is in it", () => {
    expect(judgeTrust(other.certificatePem, facts())[1]).toBe("certificate-chain fail");
  });

  test("expires, has expired, or is none", () => {
    const pem = west.authority.certificatePem;
    expect(judgeTrust(pem, undefined, NOW_MS + 3640 * DAY_MS)).toEqual(["certificate-expiry warn"]);
    expect(judgeTrust(pem, undefined, NOW_MS + 3700 * DAY_MS)).toEqual(["certificate-expiry fail"]);
    expect(judgeTrust("none")).toEqual(["certificate-chain fail"]);
  });
});

function peer(trustBundle: string, identity = gatewayIdentity("west")): Peer {
  return { metadata: { name: "west" }, spec: { trustBundle, identity } };
}

function judgePeers(...peers: Peer[]): Finding {
  return judgePeerTrust(facts(), peers, NOW_MS);
}

describe("the Peer of a consumer at its provider", () => {
  test("vouches for the consumer's certificate", () => {
    expect(judgePeers(peer(west.authority.certificatePem)).result).toBe("ok");
  });

  test("does not: none is there, another CA is in it, or another name", () => {
    expect(judgePeers().message).toBe("the provider has no Peer for cluster west");
    expect(judgePeers(peer(other.certificatePem)).message).toContain("CertificateUntrusted");
    const named = peer(west.authority.certificatePem, gatewayIdentity("north"));
    expect(judgePeers(named).message).toContain("IdentityMismatch");
  });
});
