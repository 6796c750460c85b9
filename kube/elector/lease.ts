import type { KubeObject } from "../../api/objects.ts";
import { microTime } from "../micro-time.ts";

/** A coordination.k8s.io/v1 Lease, as leader election uses it. */
export interface Lease extends KubeObject {
  spec?: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    acquireTime?: string;
    renewTime?: string;
    leaseTransitions?: number;
  };
}

/** A Lease that this replica saw, and when it saw it first in this version (monotonic milliseconds). */
export interface ObservedLease {
  readonly lease: Lease;
  readonly atMs: number;
}

/**
 * Whether a replica may take the Lease: it is free, already its own, or has
 * not changed for its whole duration by our own monotonic clock. The holder's
 * clock is never compared with ours (client-go tools/leaderelection).
 */
export function mayTake(
  observed: ObservedLease,
  identity: string,
  leaseDurationMs: number,
  nowMs: number,
): boolean {
  const { holderIdentity = "", leaseDurationSeconds = 0 } = observed.lease.spec ?? {};
  if (holderIdentity === "" || holderIdentity === identity) return true;
  return nowMs - observed.atMs >= Math.max(leaseDurationMs, leaseDurationSeconds * 1000);
}

/** The Lease with `identity` as its holder, renewed now. */
export function held(
  previous: Lease,
  identity: string,
  leaseDurationMs: number,
  epochMs: number,
): Lease {
  const { spec = {} } = previous;
  const isRenewal = spec.holderIdentity === identity;
  const now = microTime(epochMs);
  return {
    ...previous,
    spec: {
      ...spec,
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(leaseDurationMs / 1000),
      acquireTime: isRenewal ? (spec.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: (spec.leaseTransitions ?? -1) + (isRenewal ? 0 : 1),
    },
  };
}

/** The Lease without a holder, so that the next replica need not wait for it to run out. */
export function released(previous: Lease, epochMs: number): Lease {
  const now = microTime(epochMs);
  return {
    ...previous,
    spec: {
      ...previous.spec,
      holderIdentity: "",
      leaseDurationSeconds: 1,
      renewTime: now,
      acquireTime: now,
    },
  };
}
