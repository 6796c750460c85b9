import type { Finding } from "../../../api/reasons.ts";
import type { FailoverMode, FailoverStateName } from "../../../api/failover.ts";

/** A target as `link failover` shows it. */
export interface TargetReport {
  /** `cluster/namespace/name`. */
  readonly target: string;
  /** Name of the Link that leads there; empty when there is none. */
  readonly link: string;
  /** `active`: connections go there; `standby`: the Service's failover slices point there. */
  readonly role: "active" | "standby" | "-";
  readonly healthy: boolean;
  /** Why it is healthy or not. */
  readonly reason: string;
  readonly message: string;
  /** The Service's own ports that fail over there, with the port of the egress gateways that each goes to. */
  readonly ports: readonly { readonly name: string; readonly egressPort: number }[];
}

/** A Service that asks for failover, as `link failover` shows it. */
export interface ServiceReport {
  readonly namespace: string;
  readonly name: string;
  /** Absent when the Service cannot fail over at all. */
  readonly mode?: FailoverMode;
  /** As the live objects have it, whatever the controller recorded. */
  readonly state: FailoverStateName | "unsupported";
  readonly reason: string;
  readonly message: string;
  /** Since when, RFC 3339; absent when the state that is recorded is another. */
  readonly since?: string;
  /** Whether an endpoint of the Service's own is ready. */
  readonly ownReady: boolean;
  /** Where its failover slices point, `cluster/namespace/name`; absent when there are none. */
  readonly target?: string;
  /** In the order of preference. */
  readonly targets: readonly TargetReport[];
  /** What a person ought to know or to mend. */
  readonly findings: readonly Finding[];
}

/** Everything `link failover` knows, by namespace and name. */
export interface FailoverReport {
  readonly services: readonly ServiceReport[];
}
