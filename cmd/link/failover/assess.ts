import {
  type FailoverPolicy,
  type FailoverStateName,
  goesElsewhere,
  readFailover,
} from "../../../api/failover.ts";
import { type EndpointSlice, keyOf, type Service } from "../../../api/objects.ts";
import { failingOverBy, formatSource, isOurs, type Source } from "../../../api/ownership.ts";
import { type Finding, REASONS } from "../../../api/reasons.ts";
import { summariseSlice } from "../../../controller/endpoint-index.ts";
import { explainState } from "../../../controller/failover/plan/explain.ts";
import { stateOf } from "../../../controller/failover/plan/plan.ts";
import { recordOf } from "../../../controller/failover/plan/slices.ts";
import {
  assessTarget,
  type Target,
  type TargetFacts,
} from "../../../controller/failover/plan/targets.ts";
import type { ServiceReport, TargetReport } from "./report.ts";

/** What is seen around one Service. */
export interface Surroundings {
  /** This cluster's name among its peers. */
  readonly ownCluster: string;
  /** EndpointSlices of the Service, its own and ours; others do no harm. */
  readonly slices: readonly EndpointSlice[];
  /** What is known of targets. */
  readonly known: { factsOf(source: Source): TargetFacts };
}

/**
 * How a Service's failover is by what is seen now: readiness of its own
 * endpoints, where our slices point, and what that target is good for. What the
 * controller recorded says since when, and only where it agrees.
 *
 * @returns undefined when the Service does not ask for failover
 */
export function assessService(
  service: Service,
  { ownCluster, slices, known }: Surroundings,
): ServiceReport | undefined {
  const key = keyOf(service);
  const request = readFailover(service, ownCluster);
  if (request === undefined) return undefined;
  const { namespace = "", name } = service.metadata;
  const ownReady = slices.map(summariseSlice).some((own) => own?.serviceKey === key && own.ready);
  if (request.kind === "unsupported") {
    const { finding } = request;
    const state = "unsupported";
    return { namespace, name, state, ...finding, ownReady, targets: [], findings: [finding] };
  }
  const { policy } = request;
  const targets = policy.targets.map((source) => assessTarget(key, known.factsOf(source), policy));
  const ours = slices
    .filter((slice) => isOurs(slice) && failingOverBy(slice) === key)
    .toSorted((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1));
  const recorded = recordOf(ours);
  const pointed = recorded.target && named(targets, recorded.target);
  const current =
    pointed ?? (recorded.target && assessTarget(key, known.factsOf(recorded.target), policy));
  const flow = flowOf(ours, policy);
  const state = stateOf(ownReady, current?.healthy === true && flow.arrives, flow.taking);
  const stray = recorded.target !== undefined && pointed === undefined;
  const target = current && formatSource(current.source);
  return {
    namespace,
    name,
    mode: policy.mode,
    state,
    ...(unusedTarget(key, state, targets) ?? explainState(key, state, current)),
    ...(recorded.since !== undefined && recorded.state === state && { since: recorded.since }),
    ownReady,
    ...(target !== undefined && { target }),
    targets: targets.map((each) =>
      targetReport(each, each !== current ? "-" : goesElsewhere(state) ? "active" : "standby"),
    ),
    findings: [
      ...request.findings,
      ...targets.flatMap(({ findings }) => findings),
      ...(stray ? [strayTarget(key, formatSource(recorded.target))] : []),
    ],
  };
}

function named(targets: readonly Target[], source: Source): Target | undefined {
  return targets.find((target) => formatSource(target.source) === formatSource(source));
}

/** What data planes do with the endpoints of our slices. */
function flowOf(
  slices: readonly EndpointSlice[],
  { mode }: FailoverPolicy,
): { arrives: boolean; taking: boolean | undefined } {
  const conditions = slices.flatMap(({ endpoints }) =>
    (endpoints ?? []).map((endpoint) => endpoint.conditions ?? {}),
  );
  const taking = conditions.some(({ ready }) => ready !== false);
  return {
    // In active mode there are none until the controller makes them ready.
    arrives:
      (mode === "active" && slices.length > 0) ||
      conditions.some(({ ready, serving }) => ready !== false || serving !== false),
    taking: mode === "active" || taking ? taking : undefined,
  };
}

/** A target could be used, and is not: the controller has not acted, for the moment or at all. */
function unusedTarget(
  key: string,
  state: FailoverStateName,
  targets: readonly Target[],
): Finding | undefined {
  const usable = targets.find(({ healthy }) => healthy);
  if (usable === undefined || (state !== "closed" && state !== "unprotected")) return undefined;
  const here =
    state === "closed"
      ? `No endpoint of Service ${key} is ready here, and connections are refused`
      : `Endpoints of Service ${key} are ready here, and it has nothing to fail over to`;
  return {
    reason: REASONS.FailoverPending,
    message: `${here}, though ${formatSource(usable.source)} is healthy: no EndpointSlice leads there yet; does isthmus-controller run?`,
  };
}

function strayTarget(key: string, target: string): Finding {
  return {
    reason: REASONS.FailoverPending,
    message: `Service ${key}: its EndpointSlices still lead to ${target}, which its annotations name no more; does isthmus-controller run?`,
  };
}

function targetReport(target: Target, role: TargetReport["role"]): TargetReport {
  const { source, link, healthy, reason, message, ports } = target;
  return {
    target: formatSource(source),
    link,
    role,
    healthy,
    reason,
    message,
    ports: ports.map(({ name = "", port = 0 }) => ({ name, egressPort: port })),
  };
}
