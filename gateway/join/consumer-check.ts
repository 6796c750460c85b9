import { errorMessage } from "../../api/errors.ts";
import type { JoinRequest } from "../../api/join-token.ts";
import { gatewayIdentity } from "../../api/names.ts";
import { type Peer, parsePeerSpec } from "../../api/peer.ts";
import { parseBundle } from "../../pki/certificate.ts";
import { type JoinOutcome, refused } from "./join-outcome.ts";

/** Why the gateway of a consumer cannot be as the request says it is; undefined when it can. */
export function consumerProblem(
  { consumer, identity, trustBundle }: JoinRequest,
  nowMs: number,
): JoinOutcome | undefined {
  const expected = gatewayIdentity(consumer);
  if (identity !== expected) {
    return refused("IdentityInvalid", `identity is not ${expected}`);
  }
  try {
    const certificates = parseBundle(trustBundle);
    if (!certificates.every(({ isAuthority }) => isAuthority)) {
      return refused("IdentityInvalid", "trustBundle holds a certificate that is not a CA's");
    }
    if (certificates.some(({ notAfterMs }) => nowMs < notAfterMs)) return undefined;
    return refused("IdentityInvalid", "every CA of trustBundle has expired");
  } catch (error) {
    return refused("IdentityInvalid", `trustBundle: ${errorMessage(error)}`);
  }
}

/** Why a Peer that exists must not be replaced: it has no CA in common with the request. */
export function peerProblem(
  peer: Peer | undefined,
  { consumer, trustBundle }: JoinRequest,
): JoinOutcome | undefined {
  if (peer === undefined || shareAuthority(peer, trustBundle)) return undefined;
  return refused(
    "PeerExists",
    `the provider has a Peer ${consumer} with another certificate authority: another cluster of that name is joined, or it was installed anew; first, there: link unjoin --peer ${consumer}`,
  );
}

function shareAuthority(peer: Peer, trustBundle: string): boolean {
  try {
    const known = fingerprints(parsePeerSpec(peer).trustBundle);
    return [...fingerprints(trustBundle)].some((fingerprint) => known.has(fingerprint));
  } catch {
    return false;
  }
}

function fingerprints(bundlePem: string): Set<string> {
  return new Set(parseBundle(bundlePem).map(({ fingerprint }) => fingerprint));
}
