import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { CONDITION_TYPES, type ConditionStatus, type Verdict } from "../api/conditions.ts";

const CONDITION_STATUSES: readonly ConditionStatus[] = ["True", "False", "Unknown"];

/** Metrics of the links, as the controller sees them. */
export interface LinkMetrics {
  readonly linkCondition: Gauge<"link" | "condition" | "status">;
  readonly conditionTransitions: Counter<"link" | "condition" | "reason">;
  readonly apiLastHeard: Gauge<"link">;
  readonly probes: Counter<"link" | "result">;
  readonly probeSeconds: Histogram<"link" | "address">;
  readonly gatewayAddressUp: Gauge<"link" | "address">;
  readonly statusWrites: Counter<"link">;
  readonly tokenRenewals: Counter<"link" | "result">;
  readonly tokenExpiry: Gauge<"link">;
  readonly trustExpiry: Gauge<"link">;
  readonly certificateExpiry: Gauge<"certificate">;
  readonly authorityRotation: Gauge<"phase">;
}

/** Declares the metrics on `registry`; call it once per registry. */
export function declareLinkMetrics(registry: Registry): LinkMetrics {
  const registers = [registry];
  return {
    linkCondition: new Gauge({
      name: "isthmus_link_condition",
      help: "1 for the status (True, False, Unknown) that a condition of a Link has now, 0 for the others.",
      labelNames: ["link", "condition", "status"],
      registers,
    }),
    conditionTransitions: new Counter({
      name: "isthmus_link_condition_transitions_total",
      help: "Changes of a condition's status or reason, by the new reason.",
      labelNames: ["link", "condition", "reason"],
      registers,
    }),
    apiLastHeard: new Gauge({
      name: "isthmus_link_api_last_heard_timestamp_seconds",
      help: "When the provider's API was last heard; its age is time() minus this.",
      labelNames: ["link"],
      registers,
    }),
    probes: new Counter({
      name: "isthmus_link_gateway_probes_total",
      help: "Probes of gateway addresses by result (ok, or the reason of the failure).",
      labelNames: ["link", "result"],
      registers,
    }),
    probeSeconds: new Histogram({
      name: "isthmus_link_gateway_probe_duration_seconds",
      help: "Duration of good probes; the first over a session includes opening it. At most 16 addresses a link.",
      labelNames: ["link", "address"],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers,
    }),
    gatewayAddressUp: new Gauge({
      name: "isthmus_link_gateway_address_up",
      help: "1 while a gateway address counts as up.",
      labelNames: ["link", "address"],
      registers,
    }),
    statusWrites: new Counter({
      name: "isthmus_link_status_writes_total",
      help: "Writes of a Link's status; a steady state has none.",
      labelNames: ["link"],
      registers,
    }),
    tokenRenewals: new Counter({
      name: "isthmus_link_token_renewals_total",
      help: "Renewals of a link credential's token by result (renewed, failed).",
      labelNames: ["link", "result"],
      registers,
    }),
    tokenExpiry: new Gauge({
      name: "isthmus_link_token_expiry_timestamp_seconds",
      help: "When the token of a link's credentials expires.",
      labelNames: ["link"],
      registers,
    }),
    trustExpiry: new Gauge({
      name: "isthmus_link_trust_expiry_timestamp_seconds",
      help: "When the last CA in a Link's trust bundle expires.",
      labelNames: ["link"],
      registers,
    }),
    certificateExpiry: new Gauge({
      name: "isthmus_certificate_expiry_timestamp_seconds",
      help: "When this cluster's own certificates (authority, authority-next, leaf) expire.",
      labelNames: ["certificate"],
      registers,
    }),
    authorityRotation: new Gauge({
      name: "isthmus_authority_rotation_phase",
      help: "1 for the phase that the rotation of this cluster's CA is in (idle, announcing, announced, switching, switched), 0 for the others.",
      labelNames: ["phase"],
      registers,
    }),
  };
}

/** Ends what is said of a Link that is gone; its counters stay. */
export function forgetLink(metrics: LinkMetrics, link: string): void {
  for (const condition of CONDITION_TYPES) {
    for (const status of CONDITION_STATUSES) {
      metrics.linkCondition.remove({ link, condition, status });
    }
  }
  metrics.apiLastHeard.remove({ link });
  metrics.tokenExpiry.remove({ link });
  metrics.trustExpiry.remove({ link });
}

/** Shows the status of a condition. */
export function showCondition(metrics: LinkMetrics, link: string, verdict: Verdict): void {
  for (const status of CONDITION_STATUSES) {
    const value = verdict.status === status ? 1 : 0;
    metrics.linkCondition.set({ link, condition: verdict.type, status }, value);
  }
}
