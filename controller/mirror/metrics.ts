import { Counter, Gauge, type Registry } from "prom-client";

/** Metrics of the mirrors, for one process. */
export interface MirrorMetrics {
  readonly mirrors: Gauge<"link" | "state">;
  readonly closed: Gauge<"link" | "reason">;
  readonly skipped: Gauge<"link" | "reason">;
  readonly writes: Counter<"resource" | "verb">;
  readonly egressPorts: Gauge;
}

/** Declares the metrics on `registry`; call it once per registry. */
export function declareMirrorMetrics(registry: Registry): MirrorMetrics {
  const registers = [registry];
  return {
    mirrors: new Gauge({
      name: "isthmus_mirrors",
      help: "Mirror Services by link and state (open, closed).",
      labelNames: ["link", "state"],
      registers,
    }),
    closed: new Gauge({
      name: "isthmus_closed_mirrors",
      help: "Mirror Services that are closed, by link and reason.",
      labelNames: ["link", "reason"],
      registers,
    }),
    skipped: new Gauge({
      name: "isthmus_mirror_skipped_services",
      help: "Exported Services that are not mirrored, by link and reason.",
      labelNames: ["link", "reason"],
      registers,
    }),
    writes: new Counter({
      name: "isthmus_mirror_writes_total",
      help: "Writes that made, changed or removed the objects of mirrors; a steady state has none.",
      labelNames: ["resource", "verb"],
      registers,
    }),
    egressPorts: new Gauge({
      name: "isthmus_mirror_egress_ports",
      help: "Egress ports in use, of the 19998 there are.",
      registers,
    }),
  };
}
