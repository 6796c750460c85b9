import { isDeepStrictEqual } from "node:util";
import {
  CONDITION_TYPES,
  type Condition,
  mergeConditions,
  toKubeTime,
  type Verdict,
} from "../../../api/conditions.ts";
import type { LinkStatus } from "../../../api/link.ts";
import type { GatewayTarget } from "../gateway-target.ts";

/** What a Link's status is made from. */
export interface StatusInputs {
  readonly verdicts: readonly Verdict[];
  /** Undefined while the link is not acted on: what was resolved before stays. */
  readonly target: GatewayTarget | undefined;
  readonly tally: { readonly mirrored: number; readonly skipped: number } | undefined;
  readonly lastHeardMs: number | undefined;
  readonly observedGeneration: number;
  readonly nowMs: number;
}

/** What is new about a status, from nothing to that the link opens or closes. */
export type StatusChange = "none" | "counts" | "messages" | "conditions" | "ready";

/** The status to have, and what is new about it. */
export interface StatusPlan {
  readonly status: LinkStatus;
  /** Conditions whose status or reason changed. */
  readonly transitions: readonly Condition[];
  /** The weightiest thing that changed. */
  readonly change: StatusChange;
}

/** The status after `previous`. Pure; the same inputs again yield no change. */
export function planStatus(previous: LinkStatus, inputs: StatusInputs): StatusPlan {
  const { verdicts, target, tally, lastHeardMs, observedGeneration, nowMs } = inputs;
  const before = previous.conditions ?? [];
  const conditions = mergeConditions(before, verdicts, observedGeneration, nowMs);
  const transitions = conditions.filter((condition) => isTransition(before, condition));
  const gateway =
    target?.kind === "resolved"
      ? { gatewayAddresses: [...target.addresses], gatewayPort: target.port }
      : {
          ...(previous.gatewayAddresses && { gatewayAddresses: previous.gatewayAddresses }),
          ...(previous.gatewayPort !== undefined && { gatewayPort: previous.gatewayPort }),
        };
  const mirroredServices = tally?.mirrored ?? previous.mirroredServices;
  const skippedServices = tally?.skipped ?? previous.skippedServices;
  const lastSyncTime =
    transitions.length > 0 && lastHeardMs !== undefined
      ? toKubeTime(lastHeardMs)
      : previous.lastSyncTime;
  const status = {
    conditions,
    ...gateway,
    ...(mirroredServices !== undefined && { mirroredServices }),
    ...(skippedServices !== undefined && { skippedServices }),
    ...(lastSyncTime !== undefined && { lastSyncTime }),
    observedGeneration,
  };
  return { status, transitions, change: changeOf(previous, status) };
}

function changeOf(previous: LinkStatus, status: LinkStatus): StatusChange {
  if (sameStatus(previous, status)) return "none";
  if (readyOf(previous) !== readyOf(status)) return "ready";
  if (sameStatus(withoutCounts(previous), withoutCounts(status))) return "counts";
  return sameStatus(withoutMessages(previous), withoutMessages(status)) ? "messages" : "conditions";
}

function readyOf({ conditions = [] }: LinkStatus): Condition["status"] | undefined {
  return conditions.find(({ type }) => type === "Ready")?.status;
}

function withoutCounts(status: LinkStatus): LinkStatus {
  return { ...status, mirroredServices: 0, skippedServices: 0 };
}

function withoutMessages(status: LinkStatus): LinkStatus {
  const conditions = (status.conditions ?? []).map((condition) => ({ ...condition, message: "" }));
  return { ...withoutCounts(status), conditions };
}

/** Whether two statuses say the same, whatever the order of their conditions and what others put there. */
export function sameStatus(left: LinkStatus, right: LinkStatus): boolean {
  return isDeepStrictEqual(comparable(left), comparable(right));
}

function comparable(status: LinkStatus): unknown[] {
  return [
    CONDITION_TYPES.map((type) => status.conditions?.find((condition) => condition.type === type)),
    status.gatewayAddresses,
    status.gatewayPort,
    status.mirroredServices,
    status.skippedServices,
    status.lastSyncTime,
    status.observedGeneration,
  ];
}

/** A condition that begins as Unknown says nothing yet. */
function isTransition(before: readonly Condition[], condition: Condition): boolean {
  const previous = before.find(({ type }) => type === condition.type);
  if (previous === undefined) return condition.status !== "Unknown";
  return previous.status !== condition.status || previous.reason !== condition.reason;
}
