import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  EGRESS_PORT_MAX,
  EGRESS_PORT_MIN,
  GATEWAY_HEALTH_PORT,
  INGRESS_PORT,
} from "../../api/names.ts";
import type { Service, ServicePort } from "../../api/objects.ts";
import { PortAllocator } from "./port-allocator.ts";

const HTTP: ServicePort = { name: "http", port: 80 };
const GRPC: ServicePort = { name: "grpc", port: 90 };

function mirror(
  ports: readonly ServicePort[],
  targets: readonly number[],
  createdAt = "1",
): Service {
  return {
    metadata: { name: "mirror", creationTimestamp: createdAt },
    spec: { ports: ports.map((port, index) => ({ ...port, targetPort: targets[index] ?? 0 })) },
  };
}

/** Proposes, reserves, and shows the mirror in the cache, as a reconcile does. */
function give(allocator: PortAllocator, key: string, ports: readonly ServicePort[]): number[] {
  const proposed = allocator.propose(key, key, ports) ?? [];
  allocator.reserve(key, key, ports, proposed);
  allocator.store(key, key, mirror(ports, proposed, key));
  return proposed;
}

describe("the port allocator", () => {
  test("gives the same source the same ports where they are free", () => {
    const [first, second] = [new PortAllocator(), new PortAllocator()];
    expect(give(first, "shop/web", [HTTP, GRPC])).toEqual(give(second, "shop/web", [HTTP, GRPC]));
  });

  test("keeps a port while its name and number stay, whatever comes and goes beside it", () => {
    const allocator = new PortAllocator();
    const [http] = give(allocator, "shop/web", [HTTP]);
    expect(give(allocator, "shop/web", [GRPC, HTTP])[1]).toBe(http);
    expect(give(allocator, "shop/web", [HTTP])).toEqual([http]);
  });

  test("does not give out what is reserved and not yet in the cache", () => {
    const allocator = new PortAllocator();
    const [first = 0] = allocator.propose("a/a", "same", [HTTP]) ?? [];
    allocator.reserve("a/a", "a", [HTTP], [first]);
    expect(allocator.propose("a/b", "same", [HTTP])).not.toContain(first);
    allocator.release("a");
    expect(allocator.propose("a/b", "same", [HTTP])).toEqual([first]);
  });

  test("keeps the ports of a mirror that was deleted until its source lets them go", () => {
    const allocator = new PortAllocator();
    const ports = give(allocator, "shop/web", [HTTP, GRPC]);
    allocator.unstore("shop/web");
    expect(allocator.propose("other/web", "shop/web", [HTTP, GRPC])).not.toEqual(ports);
    expect(allocator.propose("shop/web", "whatever", [HTTP, GRPC])).toEqual(ports);
    allocator.release("shop/web");
    expect(allocator.propose("other/web", "shop/web", [HTTP, GRPC])).toEqual(ports);
  });

  test("of two mirrors found with one port lets the older keep it", () => {
    const allocator = new PortAllocator();
    allocator.store("a/young", "young", mirror([HTTP], [12_345], "2026-02-01"));
    allocator.store("a/old", "old", mirror([HTTP], [12_345], "2026-01-01"));
    expect(allocator.propose("a/old", "old", [HTTP])).toEqual([12_345]);
    expect(allocator.propose("a/young", "young", [HTTP])).not.toContain(12_345);
  });

  test("takes no port from outside the range, and none twice, from a Service edited by hand", () => {
    const allocator = new PortAllocator();
    allocator.store("a/a", "a", mirror([HTTP, GRPC], [80, 80]));
    allocator.store("a/b", "b", mirror([HTTP, GRPC], [12_345, 12_345]));
    for (const port of allocator.propose("a/a", "a", [HTTP, GRPC]) ?? []) {
      expect(port).toBeGreaterThanOrEqual(EGRESS_PORT_MIN);
    }
    expect(new Set(allocator.propose("a/b", "b", [HTTP, GRPC])).size).toBe(2);
  });

  test("gives out every port but those the gateway itself listens on, and says so when none are left", () => {
    const allocator = new PortAllocator();
    // Two of the range are the gateway's own.
    const all = EGRESS_PORT_MAX - EGRESS_PORT_MIN - 1;
    const ports = Array.from({ length: all }, (_, index) => ({ port: index + 1 }));
    const targets = allocator.propose("a/big", "big", ports) ?? [];
    expect(targets).not.toContain(INGRESS_PORT);
    expect(targets).not.toContain(GATEWAY_HEALTH_PORT);
    allocator.store("a/big", "big", mirror(ports, targets));
    expect(allocator.size).toBe(all);
    expect(allocator.propose("a/more", "more", [HTTP])).toBeUndefined();
    expect(allocator.propose("a/big", "big", ports)).toEqual(targets);
  });
});

const keyArb = fc.constantFrom("n/a", "n/b", "n/c", "n/d");
const portsArb = fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 });
const stepArb = fc.oneof(
  fc.record({ type: fc.constant("give" as const), key: keyArb, ports: portsArb }),
  fc.record({ type: fc.constant("reserve" as const), key: keyArb, ports: portsArb }),
  fc.record({ type: fc.constant("delete" as const), key: keyArb }),
  fc.record({ type: fc.constant("release" as const), key: keyArb }),
);

describe("whatever happens, the port allocator", () => {
  test("never gives one port to two mirrors, and keeps ports over a restart", () => {
    fc.assert(
      fc.property(fc.array(stepArb, { maxLength: 60 }), (steps) => {
        const allocator = new PortAllocator();
        const stored = new Map<string, { ports: ServicePort[]; targets: number[] }>();
        const reserved = new Map<string, number[]>();
        for (const step of steps) {
          if (step.type === "give" || step.type === "reserve") {
            const ports = step.ports.map((port) => ({ port }));
            // One seed for all: the worst case for collisions.
            const targets = allocator.propose(step.key, "seed", ports) ?? [];
            allocator.reserve(step.key, step.key, ports, targets);
            if (step.type === "reserve") reserved.set(step.key, targets);
            else {
              reserved.delete(step.key);
              stored.set(step.key, { ports, targets });
              allocator.store(step.key, step.key, mirror(ports, targets, step.key));
            }
          } else if (step.type === "delete") {
            stored.delete(step.key);
            allocator.unstore(step.key);
          } else {
            reserved.delete(step.key);
            allocator.release(step.key);
          }
          const holders = new Map<number, string>();
          for (const [holder, targets] of [
            ...[...stored].map(([name, entry]) => [name, entry.targets] as const),
            ...reserved,
          ]) {
            for (const target of targets) {
              expect(holders.get(target) ?? holder).toBe(holder);
              holders.set(target, holder);
            }
          }
        }
        const restarted = new PortAllocator();
        for (const [key, { ports, targets }] of stored) {
          restarted.store(key, key, mirror(ports, targets, key));
        }
        for (const [key, { ports, targets }] of stored) {
          expect(restarted.propose(key, "another seed", ports)).toEqual(targets);
        }
      }),
    );
  });
});
