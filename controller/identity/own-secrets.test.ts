import { describe, expect, it } from "vitest";
import type { Secret } from "../../api/objects.ts";
import { createAuthority, issueLeaf } from "../../pki/authority.ts";
import { sameBundle } from "../../pki/trust.ts";
import { encode, planAuthority, planLeaf, tlsData } from "./own-secrets.ts";

const NOW_MS = Date.now();
const HOUR_MS = 3_600_000;
const IDENTITY = "spiffe://east/isthmus/gateway";
const ca = await createAuthority({ clusterName: "east", nowMs: NOW_MS });
const otherCa = await createAuthority({ clusterName: "east", nowMs: NOW_MS });
const leaf = await issueLeaf(ca, { identity: IDENTITY, nowMs: NOW_MS });

function secret(
  pair: { certificatePem: string; privateKeyPem: string },
  metadata: Partial<Secret["metadata"]> = {},
): Secret {
  const labels = { "app.kubernetes.io/managed-by": "isthmus" };
  return { metadata: { name: "s", labels, ...metadata }, data: tlsData(pair, ca.certificatePem) };
}

describe("the cluster's own CA", () => {
  it("is made when there is none", () => {
    expect(planAuthority(undefined, NOW_MS).action).toBe("create");
  });

  it("is used when it is sound, with what its bundle holds besides", () => {
    const plan = planAuthority(
      { metadata: { name: "s" }, data: tlsData(ca, otherCa.certificatePem) },
      NOW_MS,
    );
    const bundle = plan.action === "none" ? plan.own.bundlePem : "";
    expect(bundle.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    expect(bundle.startsWith(ca.certificatePem)).toBe(true);
  });

  it("publishes the next and the previous CA beside the one that signs, and drops what has expired", async () => {
    const hour = { clusterName: "east", nowMs: NOW_MS, lifetimeMs: HOUR_MS };
    const short = await createAuthority(hour);
    const data = {
      ...tlsData(ca, ca.certificatePem),
      "next.crt": encode(otherCa.certificatePem),
      "next.key": encode(otherCa.privateKeyPem),
      "previous.crt": encode(short.certificatePem),
    };
    const bundleAt = (nowMs: number) => {
      const plan = planAuthority({ metadata: { name: "s" }, data }, nowMs);
      return plan.action === "none" ? plan.own.bundlePem : "";
    };
    const lasting = [ca.certificatePem, otherCa.certificatePem].join("");
    expect(sameBundle(bundleAt(NOW_MS), lasting + short.certificatePem)).toBe(true);
    expect(sameBundle(bundleAt(NOW_MS + 2 * HOUR_MS), lasting)).toBe(true);
  });

  it("takes a next CA whose key is not its own for none", () => {
    const data = {
      ...tlsData(ca, ca.certificatePem),
      "next.crt": encode(otherCa.certificatePem),
      "next.key": encode(ca.privateKeyPem),
    };
    const plan = planAuthority({ metadata: { name: "s" }, data }, NOW_MS);
    expect(plan).toMatchObject({ action: "none", own: { next: undefined } });
  });

  it.each([
    { name: "it is empty", broken: { metadata: { name: "s" } } },
    {
      name: "its key is another's",
      broken: secret({ ...ca, privateKeyPem: otherCa.privateKeyPem }),
    },
    { name: "it is a leaf", broken: secret(leaf) },
    { name: "it is no certificate", broken: secret({ certificatePem: "?", privateKeyPem: "?" }) },
  ])("is reported and never overwritten when $name", ({ broken }) => {
    expect(planAuthority(broken, NOW_MS).action).toBe("report");
  });
});

describe("the gateways' leaf", () => {
  const expected = { bundlePem: ca.certificatePem, identity: IDENTITY };

  it.each([
    { name: "kept while it is young", at: NOW_MS, action: "none" },
    { name: "renewed after two thirds of its life", at: NOW_MS + 16.2 * HOUR_MS, action: "issue" },
    { name: "issued anew when it has expired", at: NOW_MS + 25 * HOUR_MS, action: "issue" },
  ])("is $name", ({ at, action }) => {
    expect(planLeaf(secret(leaf), expected, at).action).toBe(action);
  });

  it("is issued when there is none, or when another CA or name counts now", () => {
    const otherBundle = { ...expected, bundlePem: otherCa.certificatePem };
    expect(planLeaf(undefined, expected, NOW_MS).action).toBe("issue");
    expect(planLeaf(secret(leaf), otherBundle, NOW_MS).action).toBe("issue");
    const otherName = { ...expected, identity: "spiffe://north/isthmus/gateway" };
    expect(planLeaf(secret(leaf), otherName, NOW_MS).action).toBe("issue");
  });

  it.each([
    {
      name: "cert-manager",
      metadata: { annotations: { "cert-manager.io/certificate-name": "x" } },
    },
    { name: "someone else", metadata: { labels: {} } },
  ])("of $name is never written, good or bad", ({ metadata }) => {
    expect(planLeaf(secret(leaf, metadata), expected, NOW_MS + 20 * HOUR_MS).action).toBe("none");
    expect(planLeaf(secret(leaf, metadata), expected, NOW_MS + 25 * HOUR_MS).action).toBe("report");
  });
});
