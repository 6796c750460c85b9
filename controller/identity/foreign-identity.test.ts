import { expect, it } from "vitest";
import type { Secret } from "../../api/objects.ts";
import { createAuthority, issueLeaf } from "../../pki/authority.ts";
import { sameBundle } from "../../pki/trust.ts";
import { foreignBundle, judgeForeignLeaf } from "./foreign-identity.ts";
import { encode, tlsData } from "./own-secrets.ts";

const NOW_MS = Date.now();
const HOUR_MS = 3_600_000;
const ca = await createAuthority({ clusterName: "east", nowMs: NOW_MS });
const renewedCa = await createAuthority({ clusterName: "east", nowMs: NOW_MS });
const leaf = await issueLeaf(ca, { identity: "spiffe://east/isthmus/gateway", nowMs: NOW_MS });

/** Secrets as cert-manager writes them: the leaf's has the certificate of its issuer as ca.crt. */
function secretsOf(changes: { ca?: typeof ca; leaf?: Partial<Secret> } = {}) {
  const annotations = { "cert-manager.io/certificate-name": "isthmus-gateway-tls" };
  const signer = changes.ca ?? ca;
  return {
    leaf: {
      metadata: { name: "isthmus-gateway-tls", annotations },
      data: tlsData(leaf, ca.certificatePem),
      ...changes.leaf,
    },
    authority: {
      metadata: { name: "isthmus-ca", annotations },
      data: tlsData(signer, signer.certificatePem),
    },
  };
}

it("a CA that cert-manager has renewed is announced beside the one that the gateways' certificate is of", () => {
  const before = foreignBundle(secretsOf(), NOW_MS) ?? "";
  expect(sameBundle(before, ca.certificatePem)).toBe(true);
  const after = foreignBundle(secretsOf({ ca: renewedCa }), NOW_MS) ?? "";
  expect(sameBundle(after, ca.certificatePem + renewedCa.certificatePem)).toBe(true);
});

it("an issuer whose CA is elsewhere is trusted as it came with the certificate", () => {
  const { leaf: only } = secretsOf();
  expect(foreignBundle({ leaf: only, authority: undefined }, NOW_MS)).toBe(ca.certificatePem);
  const noCa = { metadata: { name: "isthmus-ca" }, data: tlsData(leaf, leaf.certificatePem) };
  expect(foreignBundle({ leaf: only, authority: noCa }, NOW_MS)).toBe(ca.certificatePem);
});

it.each([
  { of: "one that is good", changes: {}, says: undefined },
  { of: "one without ca.crt", changes: { leaf: { data: {} } }, says: "LeafInvalid its ca.crt" },
  {
    of: "one whose key is another's",
    changes: {
      leaf: {
        data: { ...tlsData(leaf, ca.certificatePem), "tls.key": encode(ca.privateKeyPem) },
      },
    },
    says: "LeafInvalid its key",
  },
  { of: "one of another cluster", clusterName: "west", changes: {}, says: "LeafInvalid the cert" },
  { of: "one that should be renewed", atHours: 19, changes: {}, says: undefined },
  { of: "one that was not renewed", atHours: 20.1, changes: {}, says: "LeafRenewalLate" },
  { of: "one that has expired", atHours: 25, changes: {}, says: "LeafInvalid the certificate exp" },
])("of $of the finding is: $says", ({ changes, atHours = 0, clusterName = "east", says }) => {
  const nowMs = NOW_MS + atHours * HOUR_MS;
  const finding = judgeForeignLeaf(secretsOf(changes), clusterName, nowMs);
  const text = finding && `${finding.reason} ${finding.message.replace(/^Secret \S+:? /, "")}`;
  expect(text?.slice(0, says?.length)).toBe(says);
});

it("a Secret that is still to be made is waited for", () => {
  const finding = judgeForeignLeaf({ leaf: undefined, authority: undefined }, "east", NOW_MS);
  expect(finding?.reason).toBe("LeafPending");
});
