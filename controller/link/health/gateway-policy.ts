import type { Verdict } from "../../../api/conditions.ts";
import { REASONS, type Reason } from "../../../api/reasons.ts";
import type { AddressHealth, GatewayInput, TrustInput } from "./health-inputs.ts";

/** Failures of a probe that speak of certificates, not of reachability. */
const TRUST_REASONS: ReadonlySet<Reason> = new Set([
  REASONS.GatewayNotTrusted,
  REASONS.IdentityMismatch,
  REASONS.PeerRejected,
]);

/** Condition TrustValid: certificates as they are, then as the gateways showed and judged them. */
export function judgeTrust(trust: TrustInput, gateway: GatewayInput): Verdict {
  if (trust.problem !== undefined) {
    return { type: "TrustValid", status: "False", ...trust.problem };
  }
  const distrusted = gateway.addresses.find(
    ({ history }) => history.state === "down" && TRUST_REASONS.has(failureReason(history)),
  );
  if (distrusted !== undefined && !gateway.addresses.some(isUp)) {
    return {
      type: "TrustValid",
      status: "False",
      reason: failureReason(distrusted.history),
      message: describeFailure(distrusted),
    };
  }
  return {
    type: "TrustValid",
    status: "True",
    reason: REASONS.TrustBundleValid,
    message: "The trust bundle and this cluster's own certificate are valid.",
  };
}

/** Condition GatewayHealthy: True while at least one address is up. */
export function judgeGateway(trust: TrustInput, gateway: GatewayInput): Verdict {
  const { target, addresses } = gateway;
  if (target.kind === "unresolved") return say("False", target.reason, target.message);
  if (target.kind === "pending") {
    const message = "The provider's API has not named its gateway's addresses yet.";
    return say("Unknown", REASONS.ProbePending, message);
  }
  const up = addresses.filter(isUp);
  const down = addresses.filter(({ history }) => history.state === "down");
  if (up.length > 0) {
    const count = `${up.length} of ${addresses.length} gateway addresses answer`;
    return down.length === 0
      ? say("True", REASONS.GatewayAnswering, `${count}.`)
      : say("True", REASONS.SomeAddressesFailing, `${count}. ${describeFailures(down)}`);
  }
  if (addresses.length === 0 || down.length < addresses.length) {
    const message =
      trust.problem === undefined
        ? "The gateway has not answered a probe yet."
        : `The gateway cannot be probed: ${trust.problem.message}`;
    return say("Unknown", REASONS.ProbePending, message);
  }
  const reasons = new Set(down.map(({ history }) => failureReason(history)));
  const [only] = reasons;
  const reason = reasons.size === 1 && only !== undefined ? only : REASONS.GatewayUnreachable;
  return say("False", reason, describeFailures(down));
}

function say(status: Verdict["status"], reason: string, message: string): Verdict {
  return { type: "GatewayHealthy", status, reason, message };
}

function isUp({ history }: AddressHealth): boolean {
  return history.state === "up";
}

function failureReason(history: AddressHealth["history"]): Reason {
  return history.failure?.reason ?? REASONS.GatewayUnreachable;
}

function describeFailures(down: readonly AddressHealth[]): string {
  return down.map(describeFailure).join(" ");
}

function describeFailure({ address, history }: AddressHealth): string {
  return `${address}: ${history.failure?.message ?? "waits for further good probes."}`;
}
