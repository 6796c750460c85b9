import { REASONS, type Reason } from "../../../api/reasons.ts";
import { describeFailure, failureReason, isDown, isUp } from "./gateway-policies.ts";
import { bad, good, type Policy, type PolicyChain } from "./policy.ts";

/** Failures of a probe that speak of certificates, not of reachability. */
const TRUST_REASONS: ReadonlySet<Reason> = new Set([
  REASONS.GatewayNotTrusted,
  REASONS.GatewayCertificateExpired,
  REASONS.GatewayCertificateNotYetValid,
  REASONS.IdentityMismatch,
  REASONS.PeerRejected,
]);

/** Certificates as they are, then as the gateways showed and judged them. */
export const TRUST: PolicyChain = {
  type: "TrustValid",
  policies: [
    certificatesUnusable,
    distrustAtGateway,
    () =>
      good(
        REASONS.TrustBundleValid,
        "The trust bundle and this cluster's own certificate are valid.",
      ),
  ],
};

function certificatesUnusable({ trust }: Parameters<Policy>[0]): ReturnType<Policy> {
  return trust.problem && bad(trust.problem.reason, trust.problem.message);
}

function distrustAtGateway({ gateway }: Parameters<Policy>[0]): ReturnType<Policy> {
  if (gateway.addresses.some(isUp)) return undefined;
  const distrusted = gateway.addresses.find(
    (address) => isDown(address) && TRUST_REASONS.has(failureReason(address)),
  );
  return distrusted && bad(failureReason(distrusted), describeFailure(distrusted));
}
