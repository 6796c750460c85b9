import {
  type FailoverPolicy,
  type FailoverStateName,
  goesElsewhere,
} from "../../../api/failover.ts";
import type { Source } from "../../../api/ownership.ts";
import type { Finding, Reason } from "../../../api/reasons.ts";
import { decideActivation } from "./activation.ts";
import { chooseTarget } from "./choose.ts";
import { explainState } from "./explain.ts";
import type { Target } from "./targets.ts";

/** What our EndpointSlices of a Service say so far. */
export interface Recorded {
  readonly target: Source | undefined;
  readonly state: FailoverStateName | undefined;
}

/** What was seen of one Service over time; unknown time counts as none. */
export interface Observed {
  /** Whether an own endpoint is ready, and for how long that has been so. */
  readonly ownReady: boolean;
  readonly ownForMs: number;
  /** Whether an own endpoint is usable: ready, or terminating and serving still. */
  readonly ownUsable: boolean;
  /** For how long a target has been healthy. */
  healthyForMs(target: Target): number;
}

/** Everything the decision about one Service rests on. */
export interface FailoverInputs {
  /** `namespace/name`. */
  readonly service: string;
  readonly policy: FailoverPolicy;
  /** In the order of the policy. */
  readonly targets: readonly Target[];
  readonly recorded: Recorded;
  readonly observed: Observed;
  /** Egress gateways that are Ready. */
  readonly gateways: number;
}

/** What becomes of our endpoints that are not ready: they stand by for kube-proxy, or are left out. */
export type RestForm = "standby" | "absent";

export interface FailoverPlan {
  /** Where our EndpointSlices point; without one there are none. */
  readonly target: Target | undefined;
  /** The first so many endpoints are ready. */
  readonly readyEndpoints: number;
  /** What the others are. */
  readonly restForm: RestForm;
  readonly state: FailoverStateName;
  /** Why it is in that state. */
  readonly reason: Reason;
  readonly message: string;
  /** What a person has to mend. */
  readonly findings: readonly Finding[];
  /** When time alone may change the decision, in milliseconds from now. */
  readonly recheckAfterMs?: number;
}

/** Decides about one Service. Pure: the same inputs always give the same plan. */
export function planFailover(inputs: FailoverInputs): FailoverPlan {
  const { policy, targets, recorded, observed, gateways } = inputs;
  const { target, recheckAfterMs } = chooseTarget({
    targets,
    current: recorded.target,
    failbackAfterMs: policy.failbackAfterMs,
    healthyForMs: (each) => observed.healthyForMs(each),
  });
  const healthy = target?.healthy === true && gateways > 0;
  const activation =
    policy.mode === "active"
      ? decideActivation({
          activated: goesElsewhere(recorded.state),
          ownReady: observed.ownReady,
          forMs: observed.ownForMs,
          targetHealthy: healthy,
          activateAfterMs: policy.activateAfterMs,
          failbackAfterMs: policy.failbackAfterMs,
          endpoints: gateways,
        })
      : undefined;
  const readyEndpoints = activation?.readyEndpoints ?? 0;
  const state = stateOf(observed.ownReady, healthy, activation && readyEndpoints > 0);
  const rechecks = [recheckAfterMs, activation?.recheckAfterMs].filter((ms) => ms !== undefined);
  return {
    target,
    readyEndpoints,
    restForm: restFormOf(inputs, state, healthy),
    state,
    ...explainState(inputs.service, state, target),
    findings: targets.flatMap(({ findings }) => findings),
    ...(rechecks.length > 0 && { recheckAfterMs: Math.min(...rechecks) }),
  };
}

/**
 * The state that these facts amount to.
 *
 * @param healthy whether connections that the target gets arrive
 * @param taking in active mode, whether endpoints of ours are ready; undefined in standby mode
 */
export function stateOf(ownReady: boolean, healthy: boolean, taking?: boolean): FailoverStateName {
  if (ownReady) {
    if (taking === true) return "returning";
    return healthy ? "standby" : "unprotected";
  }
  if (!healthy) return "closed";
  return taking === false ? "activating" : "active";
}

/**
 * A target that is not healthy refuses, and so has no part in what terminating
 * endpoints of the Service still serve; with none of them it refuses for the
 * Service, as a closed mirror does.
 */
function restFormOf(
  { policy, observed }: FailoverInputs,
  state: FailoverStateName,
  healthy: boolean,
): RestForm {
  if (state === "closed") return observed.ownUsable ? "absent" : "standby";
  return policy.mode === "standby" && healthy ? "standby" : "absent";
}
