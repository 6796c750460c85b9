import type { Logger } from "../../kube/logger.ts";
import type { GatewayMetrics } from "../metrics.ts";
import { LogThrottle } from "./log-throttle.ts";

/** What can be reached or crossed: the label `bound` of `isthmus_gateway_bound_reached_total`. */
export type Bound =
  | "Handshakes"
  | "HandshakeTimeout"
  | "Sessions"
  | "SessionsPerPeer"
  | "Connections"
  | "StreamsPerPeer"
  | "ConnectionsPerLink"
  | "NewStreams"
  | "StreamErrors"
  | "HeaderTimeout"
  | "Pings"
  | "Settings"
  | "InvalidFrames"
  | "Overhead"
  | "Penalty"
  | "Protocol"
  | "Silence"
  | "IdleStreams"
  | "EndpointConnectTimeout"
  | "WindowBytes"
  | "BufferedBytes"
  | "BufferedBytesPerPeer";

export interface BoundReportsOptions {
  role: "egress" | "ingress";
  metrics: GatewayMetrics;
  logger: Logger;
  nowMs: () => number;
}

/** Tells that a bound was reached: counts each time, logs the first of a while. */
export class BoundReports {
  readonly #options: BoundReportsOptions;
  readonly #throttle: LogThrottle;

  constructor(options: BoundReportsOptions) {
    this.#options = options;
    this.#throttle = new LogThrottle(options.nowMs);
  }

  /** `link`: the Link, or the peer, that reached it; empty before a client has shown who it is. */
  reached(bound: Bound, link: string, details: Record<string, unknown> = {}): void {
    const { role, metrics, logger } = this.#options;
    metrics.boundReached.inc({ role, bound, link });
    const unlogged = this.#throttle.unlogged(`${bound} ${link}`);
    if (unlogged === undefined) return;
    logger.warn({ role, bound, link, unlogged, ...details }, "bound reached");
  }
}
