import { BlockList, isIPv6 } from "node:net";
import { describe, expect, test } from "vitest";
import {
  addressPlan,
  checkSizes,
  clusterPodRanges,
  kubernetesServiceAddress,
  nodePodRanges,
  rangesText,
  serviceRanges,
  slotCount,
} from "./address-plan.ts";

function contains(cidr: string, address: string): boolean {
  const [network = "", prefix = ""] = cidr.split("/");
  const list = new BlockList();
  const family = isIPv6(address) ? "ipv6" : "ipv4";
  list.addSubnet(network, Number(prefix), family);
  return list.check(address, family);
}

describe("the address plan", () => {
  test("gives no address twice, whatever the slot, cluster and node", () => {
    const addresses = Array.from({ length: slotCount }, (_, slot) => addressPlan(slot)).flatMap(
      (plan) => [
        plan.bridge,
        plan.bridgeIpv6,
        plan.root,
        `${plan.loadBalancerPrefix}.1`,
        ...[0, 1, 15].flatMap((cluster) => [
          plan.apiServer(cluster),
          plan.node(cluster, 0),
          plan.node(cluster, 13),
          plan.nodeIpv6(cluster, 0),
          plan.nodeIpv6(cluster, 13),
        ]),
      ],
    );
    expect(new Set(addresses).size).toBe(addresses.length);
  });

  test("keeps the nodes of a cluster in its subnet and the others out of it", () => {
    const plan = addressPlan(3);
    expect(
      [plan.node(2, 0), plan.node(2, 13)].every((address) => contains(plan.nodeSubnet(2), address)),
    ).toBe(true);
    const [one, other] = [plan.nodeSubnetIpv6(1), plan.nodeSubnetIpv6(2)];
    expect([one, other].map((subnet) => contains(subnet, plan.nodeIpv6(2, 13)))).toEqual([
      false,
      true,
    ]);
    expect(
      [plan.node(1, 13), plan.node(3, 0)].some((address) => contains(plan.nodeSubnet(2), address)),
    ).toBe(false);
  });

  test("gives the pods of a node a part of its cluster's range, and the API server the first Service address", () => {
    for (const family of ["ipv4", "ipv6"] as const) {
      const [first = ""] = nodePodRanges(4, 13)[family].split("/");
      expect(contains(clusterPodRanges(4)[family], first)).toBe(true);
      expect(contains(clusterPodRanges(5)[family], first)).toBe(false);
    }
    expect(contains(serviceRanges(4).ipv4, kubernetesServiceAddress(4))).toBe(true);
  });

  test("names the second range only of clusters that have both families", () => {
    expect(rangesText(serviceRanges(1), true)).toBe("10.151.0.0/20,fd00:151::/112");
    expect(rangesText(serviceRanges(1), false)).toBe("10.151.0.0/20");
  });

  test.each([
    { sizes: [], message: /at least one cluster/ },
    { sizes: Array.from({ length: 17 }, () => 0), message: /at most 16/ },
    { sizes: [15], message: /0 to 14 nodes, not 15/ },
    { sizes: [1.5], message: /not 1.5/ },
  ])("refuses $sizes", ({ sizes, message }) => {
    expect(() => checkSizes(sizes)).toThrow(message);
  });
});
