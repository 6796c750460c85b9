import { REASONS, type Reason } from "../../../api/reasons.ts";
import type { AddressHealth } from "./health-inputs.ts";
import { bad, good, type Policy, type PolicyChain, recordedStands, unknown } from "./policy.ts";

/** True while at least one address is up. */
export const GATEWAY: PolicyChain = {
  type: "GatewayHealthy",
  policies: [
    nowhere,
    answering,
    allDown,
    recordedStands("GatewayHealthy"),
    addressesPending,
    notProbed,
  ],
};

const RECOVERING = "answers again, and counts as up after further good probes.";

export function isUp({ history }: AddressHealth): boolean {
  return history.state === "up";
}

export function isDown({ history }: AddressHealth): boolean {
  return history.state === "down";
}

export function failureReason({ history }: AddressHealth): Reason {
  return history.failure?.reason ?? REASONS.GatewayUnreachable;
}

export function describeFailure({ address, history }: AddressHealth): string {
  const recovering = history.against > 0 || history.failure === undefined;
  return `${address}: ${recovering ? RECOVERING : history.failure.message}`;
}

function nowhere({ gateway: { target } }: Parameters<Policy>[0]): ReturnType<Policy> {
  return target.kind === "unresolved" ? bad(target.reason, target.message) : undefined;
}

function answering({ gateway: { addresses } }: Parameters<Policy>[0]): ReturnType<Policy> {
  const up = addresses.filter(isUp);
  if (up.length === 0) return undefined;
  const down = addresses.filter(isDown);
  const count = `${up.length} of ${addresses.length} gateway addresses answer`;
  return down.length === 0
    ? good(REASONS.GatewayAnswering, `${count}.`)
    : good(REASONS.SomeAddressesFailing, `${count}. ${describeFailures(down)}`);
}

function allDown({ gateway: { addresses } }: Parameters<Policy>[0]): ReturnType<Policy> {
  if (addresses.length === 0 || !addresses.every(isDown)) return undefined;
  const reasons = new Set(addresses.map(failureReason));
  const [only] = reasons;
  const reason = reasons.size === 1 && only !== undefined ? only : REASONS.GatewayUnreachable;
  return bad(reason, describeFailures(addresses));
}

function addressesPending({ gateway: { target } }: Parameters<Policy>[0]): ReturnType<Policy> {
  if (target.kind !== "pending") return undefined;
  const message = "The provider's API has not named its gateway's addresses yet.";
  return unknown(REASONS.ProbePending, message);
}

function notProbed({ trust }: Parameters<Policy>[0]): ReturnType<Policy> {
  const message =
    trust.problem === undefined
      ? "The gateway has not answered a probe yet."
      : `The gateway cannot be probed: ${trust.problem.message}`;
  return unknown(REASONS.ProbePending, message);
}

function describeFailures(down: readonly AddressHealth[]): string {
  return down.map(describeFailure).join(" ");
}
