import { BlockList, SocketAddress, isIP } from "node:net";
import type { Target } from "./endpoint-index.ts";

/** Whether the ingress must never connect there, whatever an EndpointSlice says. */
export type ForbidsTarget = (target: Target) => boolean;

/** Unspecified ("this host"), loopback, link-local with the clouds' metadata, multicast and reserved (RFC 6890). */
const NEVER_IPV4 = blockList("ipv4", [
  ["0.0.0.0", 8],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["224.0.0.0", 3],
  // Metadata of clouds that is elsewhere: Oracle, Alibaba, Azure.
  ["192.0.0.0", 24],
  ["100.100.100.200", 32],
  ["168.63.129.16", 32],
]);

const NEVER_IPV6 = blockList("ipv6", [
  ["fe80::", 10],
  ["fec0::", 10],
  ["ff00::", 8],
  // Metadata of AWS and of Google.
  ["fd00:ec2::", 32],
  ["fd20:ce::", 32],
  // Unspecified, loopback, and IPv4 in IPv6: compatible and mapped (RFC 4291), translated (RFC 2765).
  ["::", 96],
  ["::ffff:0:0", 96],
  ["::ffff:0:0:0", 96],
  // NAT64 (RFC 6052, 8215), Teredo, 6to4.
  ["64:ff9b::", 96],
  ["64:ff9b:1::", 48],
  ["2001::", 32],
  ["2002::", 16],
]);

/**
 * Forbids what is no address in the notation that node itself uses (a resolver
 * reads `0177.0.0.1` as loopback, and a name as anything), what no endpoint
 * can have (whoever may write an EndpointSlice could point it at the gateway
 * itself or at a cloud's metadata service), and what `protects`, asked with
 * canonical addresses, answers for: API servers, gateways, mirrors.
 */
export function forbidTargets(protects: ForbidsTarget): ForbidsTarget {
  return ({ address, port }) => {
    const canonical = canonicalAddress(address);
    if (canonical === undefined) return true;
    const never =
      isIP(canonical) === 6
        ? NEVER_IPV6.check(canonical, "ipv6")
        : NEVER_IPV4.check(canonical, "ipv4");
    return never || protects({ address: canonical, port });
  };
}

/** An IP address in its one canonical spelling (RFC 5952); undefined for names, zones and loose notations. */
export function canonicalAddress(text: string): string | undefined {
  const family = isIP(text);
  if (family === 4) return text;
  if (family !== 6 || text.includes("%")) return undefined;
  return new SocketAddress({ address: text, family: "ipv6" }).address;
}

/**
 * Addresses that objects of the cluster have, each for as long as one of them
 * has it; without `ports` on every port.
 */
export class ProtectedTargets {
  readonly #counts = new Map<string, number>();

  /** `address` is canonical. */
  has({ address, port }: Target): boolean {
    return this.#counts.has(address) || this.#counts.has(`${address} ${port}`);
  }

  add(addresses: Iterable<string>, ports?: readonly number[]): void {
    this.#change(addresses, ports, 1);
  }

  remove(addresses: Iterable<string>, ports?: readonly number[]): void {
    this.#change(addresses, ports, -1);
  }

  #change(addresses: Iterable<string>, ports: readonly number[] | undefined, by: 1 | -1): void {
    for (const text of addresses) {
      const address = canonicalAddress(text);
      if (address === undefined) continue;
      const keys = ports === undefined ? [address] : ports.map((port) => `${address} ${port}`);
      for (const key of keys) {
        const count = (this.#counts.get(key) ?? 0) + by;
        if (count > 0) this.#counts.set(key, count);
        else this.#counts.delete(key);
      }
    }
  }
}

/** One list a family: a BlockList takes IPv4 addresses for the IPv4-mapped ones. */
function blockList(
  family: "ipv4" | "ipv6",
  networks: readonly (readonly [network: string, prefix: number])[],
): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of networks) list.addSubnet(network, prefix, family);
  return list;
}
