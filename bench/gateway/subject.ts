import type { ProcessRecord } from "../../test/bed/processes.ts";

/** What the server offers: HTTP/1.1, one byte there and back, and iperf3. */
export type ServiceName = "web" | "echo" | "bulk";

/** Ports of the server. */
export const SERVER_PORTS: Readonly<Record<ServiceName, number>> = {
  web: 8080,
  echo: 8007,
  bulk: 5201,
};
export const SERVICE_NAMES: readonly ServiceName[] = ["web", "echo", "bulk"];

/** A way from the client to the server. */
export interface Subject {
  readonly name: string;
  /** `address:port` at which the client reaches a service. */
  readonly target: (service: ServiceName) => string;
  /** What is in between, first the side of the client; empty for the direct way. */
  readonly hops: readonly ProcessRecord[];
}
