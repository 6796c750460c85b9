import type { FailoverStateName } from "../../../api/failover.ts";
import { formatSource } from "../../../api/ownership.ts";
import { type Finding, REASONS, type Reason } from "../../../api/reasons.ts";
import type { Target } from "./targets.ts";

/** The target that is chosen, if there is one. */
type Chosen = Pick<Target, "source" | "reason" | "message"> | undefined;

const CALM: Readonly<
  Record<
    Exclude<FailoverStateName, "unprotected" | "closed">,
    { reason: Reason; say: (service: string, target: string) => string }
  >
> = {
  standby: {
    reason: REASONS.FailoverStandby,
    say: (service, target) => `Service ${service} has ready endpoints here; ${target} stands by.`,
  },
  activating: {
    reason: REASONS.FailoverActivating,
    say: (service, target) =>
      `No endpoint of Service ${service} is ready here; ${target} takes over unless that ends soon.`,
  },
  active: {
    reason: REASONS.FailoverActivated,
    say: (service, target) =>
      `No endpoint of Service ${service} is ready here; connections go to ${target}.`,
  },
  returning: {
    reason: REASONS.FailoverReturning,
    say: (service, target) =>
      `Service ${service} has ready endpoints here again; ${target} still takes a part of the connections.`,
  },
};

/** Why a Service is in its state, in words for people. */
export function explainState(service: string, state: FailoverStateName, target: Chosen): Finding {
  if (state === "unprotected" || state === "closed") return lacking(service, state, target);
  const { reason, say } = CALM[state];
  return { reason, message: say(service, target === undefined ? "" : formatSource(target.source)) };
}

function lacking(service: string, state: "unprotected" | "closed", target: Chosen): Finding {
  const here =
    state === "closed"
      ? `No endpoint of Service ${service} is ready here, and no target is healthy: connections are refused, unless endpoints that terminate still take them`
      : `Service ${service} has ready endpoints here, and nothing to fail over to: no target is healthy`;
  return {
    reason: target?.reason ?? REASONS.FailoverTargetMissing,
    message:
      target === undefined
        ? `${here}.`
        : `${here}; ${formatSource(target.source)}: ${target.message}`,
  };
}
