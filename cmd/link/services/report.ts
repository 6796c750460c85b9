import type { NotRead } from "../not-read.ts";
import type { SkippedService } from "../status/report.ts";

/** A port, as a Service has it. */
export interface PortReport {
  /** Empty where it has none. */
  readonly name: string;
  readonly port: number;
}

/** A Service of this cluster that is offered to others. */
export interface ExportReport {
  readonly namespace: string;
  readonly name: string;
  /** `refused`: its annotations ask for it, and it cannot be exported. */
  readonly state: "exported" | "refused";
  /** Of a refusal; empty otherwise. */
  readonly reason: string;
  readonly message: string;
  /** The ports that are offered. */
  readonly ports: readonly PortReport[];
  /** Whether it is offered to all Peers, also to those that join later. */
  readonly toAll: boolean;
  /** Clusters that may use it now: those it is offered to that are Peers. */
  readonly consumers: readonly string[];
  /** Clusters that it is offered to and that are no Peers. */
  readonly notJoined: readonly string[];
  /** Its ready endpoints, of which the gateway picks; undefined where they could not be read. */
  readonly readyEndpoints: number | undefined;
}

/** A Service of another cluster that is to be had here. */
export interface ImportReport {
  readonly namespace: string;
  /** Of the mirror. */
  readonly name: string;
  readonly link: string;
  /** `cluster/namespace/name` of the Service it stands for. */
  readonly source: string;
  readonly ports: readonly PortReport[];
  readonly state: string;
  readonly reason: string;
  readonly message: string;
}

/** Everything `link services` knows of one cluster. */
export interface ServicesReport {
  readonly cluster: string;
  readonly exports: readonly ExportReport[];
  readonly imports: readonly ImportReport[];
  /** Services that are exported to this cluster and have no mirror. */
  readonly skipped: readonly SkippedService[];
  readonly notRead: readonly NotRead[];
}
