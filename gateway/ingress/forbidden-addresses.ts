import { BlockList, isIPv6 } from "node:net";
import type { Target } from "./endpoint-index.ts";

/** Whether the ingress must never connect there, whatever an EndpointSlice says. */
export type ForbidsTarget = (target: Target) => boolean;

const NEVER = new BlockList();
for (const [network, prefix, family] of [
  ["0.0.0.0", 8, "ipv4"],
  ["127.0.0.0", 8, "ipv4"],
  ["169.254.0.0", 16, "ipv4"],
  ["224.0.0.0", 3, "ipv4"],
  ["::", 128, "ipv6"],
  ["::1", 128, "ipv6"],
  ["fe80::", 10, "ipv6"],
  ["ff00::", 8, "ipv6"],
] as const) {
  NEVER.addSubnet(network, prefix, family);
}

/**
 * Forbids loopback, link-local, unspecified and multicast addresses (whoever
 * may write an EndpointSlice could point it at the gateway itself or at a
 * cloud's metadata service), and the API servers that `apiServers` lists at
 * the time of the question.
 */
export function forbidTargets(apiServers: () => readonly Target[]): ForbidsTarget {
  return ({ address, port }) =>
    NEVER.check(address, isIPv6(address) ? "ipv6" : "ipv4") ||
    apiServers().some((server) => server.address === address && server.port === port);
}
