import { errorMessage } from "../../../../api/errors.ts";
import { clusterNameOf, type Link, linkSpecSchema } from "../../../../api/link.ts";
import {
  CA_SECRET_NAME,
  GATEWAY_TLS_SECRET_NAME,
  gatewayIdentity,
  IDENTITY_KEYS,
  INSTALL_NAMESPACE,
} from "../../../../api/names.ts";
import type { Secret } from "../../../../api/objects.ts";
import { type Peer, parsePeerSpec } from "../../../../api/peer.ts";
import {
  parseBundle,
  parseCertificate,
  renewAtMs,
  verifyLeaf,
} from "../../../../pki/certificate.ts";
import { known } from "../fact.ts";
import type { InstallationFacts } from "../facts/cluster-facts.ts";
import { instant } from "../../instant.ts";
import { type Finding, findingsOf } from "../report.ts";

const DAY_MS = 86_400_000;
const CA_WARN_MS = 30 * DAY_MS;
/** The controller renews within minutes of when it is due. */
const RENEWAL_LATE_MS = 3_600_000;

/** A cluster's own certificates: its CA, its gateways' leaf, and what it publishes. Pure. */
export function judgeOwnCertificates(
  facts: InstallationFacts,
  { context, nowMs }: { context: string; nowMs: number },
): Finding[] {
  return [judgeOwnChain(facts, context, nowMs), ...judgeOwnExpiry(facts, context, nowMs)];
}

function judgeOwnChain(facts: InstallationFacts, context: string, nowMs: number): Finding {
  const about = `Secret ${INSTALL_NAMESPACE}/${GATEWAY_TLS_SECRET_NAME}, ${context}`;
  const { ok, fail, skip } = findingsOf("certificate-chain", about);
  if ("unknown" in facts.leaf) return skip(facts.leaf.unknown);
  if ("unknown" in facts.identity) return skip(facts.identity.unknown);
  const data = facts.identity.value?.data ?? {};
  const clusterName = data[IDENTITY_KEYS.clusterName];
  if (clusterName === undefined) return skip("this cluster has not published who it is");
  if (facts.leaf.value === undefined) {
    return fail("the Secret is missing: the gateways have no certificate", "see controller-ready");
  }
  const verdict = verifyLeaf({
    certificatePem: textOf(facts.leaf.value, "tls.crt"),
    bundlePem: data[IDENTITY_KEYS.trustBundle] ?? "",
    identity: gatewayIdentity(clusterName),
    nowMs,
  });
  if (verdict.ok) return ok("signed by a CA that this cluster publishes, and names its gateways");
  return fail(
    `${verdict.reason}: ${verdict.message}`,
    `kubectl --context ${context} -n ${INSTALL_NAMESPACE} delete secret ${GATEWAY_TLS_SECRET_NAME}: the controller makes a new one (not with cert-manager: look at its Certificate)`,
  );
}

function judgeOwnExpiry(
  { authority, leaf }: InstallationFacts,
  context: string,
  nowMs: number,
): Finding[] {
  const of = (name: string) =>
    findingsOf("certificate-expiry", `Secret ${INSTALL_NAMESPACE}/${name}, ${context}`);
  return [
    { fact: authority, make: of(CA_SECRET_NAME), isAuthority: true },
    { fact: leaf, make: of(GATEWAY_TLS_SECRET_NAME), isAuthority: false },
  ].map(({ fact, make, isAuthority }) => {
    if ("unknown" in fact) return make.skip(fact.unknown);
    if (fact.value === undefined) return make.skip("the Secret is missing");
    try {
      const info = parseCertificate(textOf(fact.value, "tls.crt"));
      const until = instant(info.notAfterMs);
      if (nowMs > info.notAfterMs) {
        return make.fail(`expired at ${until}`, "see controller-ready, and docs/operations.md");
      }
      if (isAuthority && info.notAfterMs - nowMs < CA_WARN_MS) {
        return make.warn(`the CA expires at ${until}`, `link rotate --context ${context}`);
      }
      if (!isAuthority && nowMs > renewAtMs(info) + RENEWAL_LATE_MS) {
        return make.warn(
          `valid until ${until}, and should have been renewed by now`,
          "see controller-leader and the controller's log",
        );
      }
      return make.ok(`valid until ${until}`);
    } catch (error) {
      return make.fail(errorMessage(error), "see certificate-chain");
    }
  });
}

/** What a Link trusts, and, where the provider was looked at, whether that is what its gateways have. Pure. */
export function judgeLinkTrust(
  link: Link,
  provider: InstallationFacts | undefined,
  nowMs: number,
): Finding[] {
  const about = `Link ${link.metadata.name}`;
  const expiry = findingsOf("certificate-expiry", `${about}, trust bundle`);
  const chain = findingsOf("certificate-chain", about);
  const spec = linkSpecSchema.safeParse(link.spec);
  if (!spec.success) return [chain.fail("its spec cannot be read", "see link-conditions")];
  const { trustBundle, gateway } = spec.data;
  const rejoin = "link join again takes the provider's bundle anew";
  try {
    const ends = parseBundle(trustBundle).map(({ notAfterMs }) => notAfterMs);
    const lastMs = Math.max(...ends);
    const until = instant(lastMs);
    const left = lastMs - nowMs;
    const judged =
      left < 0
        ? expiry.fail(`every CA in spec.trustBundle has expired, the last at ${until}`, rejoin)
        : left < CA_WARN_MS
          ? expiry.warn(`the last CA in spec.trustBundle expires at ${until}`, rejoin)
          : expiry.ok(`valid until ${until}`);
    const leaf = provider && known(provider.leaf);
    if (leaf === undefined) return [judged];
    const certificatePem = textOf(leaf, "tls.crt");
    const { identity } = gateway;
    const verdict = verifyLeaf({ certificatePem, bundlePem: trustBundle, identity, nowMs });
    return [
      judged,
      verdict.ok
        ? chain.ok("spec.trustBundle vouches for the certificate that the provider's gateways have")
        : chain.fail(`${verdict.reason}: ${verdict.message}`, rejoin),
    ];
  } catch (error) {
    return [expiry.fail(`spec.trustBundle: ${errorMessage(error)}`, rejoin)];
  }
}

/** Whether a provider would let the consumer's gateways in, by the Peer it has for it. Pure. */
export function judgePeerTrust(
  consumer: InstallationFacts,
  peers: readonly Peer[],
  nowMs: number,
): Finding {
  const data = known(consumer.identity)?.data ?? {};
  const name = data[IDENTITY_KEYS.clusterName] ?? "";
  const { ok, fail, skip } = findingsOf("peer-trust", `Peer ${name} at the provider`);
  const leaf = known(consumer.leaf);
  if (name === "" || leaf === undefined) return skip("this cluster's own certificate is not known");
  const rejoin = "link join again gives the provider this cluster's bundle anew";
  const peer = peers.find((candidate) => peerName(candidate) === name);
  if (peer === undefined) return fail(`the provider has no Peer for cluster ${name}`, rejoin);
  try {
    const { trustBundle: bundlePem, identity } = parsePeerSpec(peer);
    const certificatePem = textOf(leaf, "tls.crt");
    const verdict = verifyLeaf({ certificatePem, bundlePem, identity, nowMs });
    return verdict.ok
      ? ok("its trust bundle vouches for the certificate that this cluster's gateways have")
      : fail(`${verdict.reason}: ${verdict.message}`, rejoin);
  } catch (error) {
    return fail(errorMessage(error), rejoin);
  }
}

/** The provider's cluster name that a Link leads to. */
export function providerOf(link: Link): string {
  const spec = linkSpecSchema.safeParse(link.spec);
  return spec.success ? clusterNameOf(link, spec.data) : link.metadata.name;
}

function peerName(peer: Peer): string {
  try {
    return parsePeerSpec(peer).clusterName;
  } catch {
    return peer.metadata.name;
  }
}

function textOf({ data = {} }: Secret, key: string): string {
  return Buffer.from(data[key] ?? "", "base64").toString("utf8");
}
