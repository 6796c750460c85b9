import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** Metrics of everything in this folder, for one process. */
export interface KubeMetrics {
  readonly requests: Counter<"verb" | "resource" | "code">;
  readonly requestSeconds: Histogram<"verb">;
  readonly reflectorRelists: Counter<"reflector">;
  readonly reflectorErrors: Counter<"reflector" | "reason">;
  readonly reflectorEvents: Counter<"reflector" | "type">;
  readonly reflectorObjects: Gauge<"reflector">;
  readonly reflectorLastByte: Gauge<"reflector">;
  readonly queueDepth: Gauge<"controller">;
  readonly reconcileSeconds: Histogram<"controller" | "outcome">;
  readonly leader: Gauge<"lease">;
  readonly eventsSent: Counter<"outcome">;
}

/** Declares the metrics on `registry`; call it once per registry. */
export function declareKubeMetrics(registry: Registry): KubeMetrics {
  const registers = [registry];
  return {
    requests: new Counter({
      name: "isthmus_kube_requests_total",
      help: "Requests to API servers by verb, resource and HTTP status (or error code).",
      labelNames: ["verb", "resource", "code"],
      registers,
    }),
    requestSeconds: new Histogram({
      name: "isthmus_kube_request_duration_seconds",
      help: "Time from sending a request to an API server to having its whole answer; watches excluded.",
      labelNames: ["verb"],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
    reflectorRelists: new Counter({
      name: "isthmus_kube_reflector_lists_total",
      help: "Complete lists taken by a reflector: the first, and one for each watch that expired.",
      labelNames: ["reflector"],
      registers,
    }),
    reflectorErrors: new Counter({
      name: "isthmus_kube_reflector_errors_total",
      help: "Failed lists and watches of a reflector by reason.",
      labelNames: ["reflector", "reason"],
      registers,
    }),
    reflectorEvents: new Counter({
      name: "isthmus_kube_reflector_events_total",
      help: "Changes a reflector passed on.",
      labelNames: ["reflector", "type"],
      registers,
    }),
    reflectorObjects: new Gauge({
      name: "isthmus_kube_reflector_objects",
      help: "Objects a reflector keeps.",
      labelNames: ["reflector"],
      registers,
    }),
    reflectorLastByte: new Gauge({
      name: "isthmus_kube_reflector_last_byte_timestamp_seconds",
      help: "When a reflector last heard from its API server; the age of a watch is time() minus this.",
      labelNames: ["reflector"],
      registers,
    }),
    queueDepth: new Gauge({
      name: "isthmus_controller_queue_depth",
      help: "Requests waiting for a worker.",
      labelNames: ["controller"],
      registers,
    }),
    reconcileSeconds: new Histogram({
      name: "isthmus_controller_reconcile_duration_seconds",
      help: "Duration of a reconcile by outcome (success, requeue, error, terminal, stopped).",
      labelNames: ["controller", "outcome"],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
    leader: new Gauge({
      name: "isthmus_leader",
      help: "1 while this replica holds the lease.",
      labelNames: ["lease"],
      registers,
    }),
    eventsSent: new Counter({
      name: "isthmus_kube_events_total",
      help: "Kubernetes Events by what became of them (created, series, dropped, failed).",
      labelNames: ["outcome"],
      registers,
    }),
  };
}
