import { Counter, Gauge, type Registry } from "prom-client";

/** Metrics of failover, for one process. */
export interface FailoverMetrics {
  readonly services: Gauge<"state">;
  readonly active: Gauge<"service" | "target">;
  readonly transitions: Counter<"reason">;
  readonly writes: Counter<"resource" | "verb">;
}

/** Declares the metrics on `registry`; call it once per registry. */
export function declareFailoverMetrics(registry: Registry): FailoverMetrics {
  const registers = [registry];
  return {
    services: new Gauge({
      name: "isthmus_failover_services",
      help: "Services that ask for failover, by state (standby, unprotected, activating, active, returning, closed).",
      labelNames: ["state"],
      registers,
    }),
    active: new Gauge({
      name: "isthmus_failover_active",
      help: "1 for each Service (namespace/name) that has no ready endpoint here and whose connections go to that cluster.",
      // Not `namespace` and `cluster`: those a scrape sets to where the pod is.
      labelNames: ["service", "target"],
      registers,
    }),
    transitions: new Counter({
      name: "isthmus_failover_transitions_total",
      help: "Changes of where connections of Services go, by the reason of their Event.",
      labelNames: ["reason"],
      registers,
    }),
    writes: new Counter({
      name: "isthmus_failover_writes_total",
      help: "Writes that made, changed or removed EndpointSlices by which Services fail over; a steady state has none.",
      labelNames: ["resource", "verb"],
      registers,
    }),
  };
}
