import { BlockList } from "node:net";
import { describe, expect, test } from "vitest";
import {
  addressPlan,
  checkSizes,
  clusterPodCidr,
  kubernetesServiceAddress,
  nodePodCidr,
  serviceCidr,
  slotCount,
} from "./address-plan.ts";

function contains(cidr: string, address: string): boolean {
  const [network = "", prefix = ""] = cidr.split("/");
  const list = new BlockList();
  list.addSubnet(network, Number(prefix));
  return list.check(address);
}

describe("the address plan", () => {
  test("gives no address twice, whatever the slot, cluster and node", () => {
    const addresses = Array.from({ length: slotCount }, (_, slot) => addressPlan(slot)).flatMap(
      (plan) => [
        plan.bridge,
        plan.root,
        `${plan.loadBalancerPrefix}.1`,
        ...[0, 1, 15].flatMap((cluster) => [
          plan.apiServer(cluster),
          plan.node(cluster, 0),
          plan.node(cluster, 13),
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
    expect(
      [plan.node(1, 13), plan.node(3, 0)].some((address) => contains(plan.nodeSubnet(2), address)),
    ).toBe(false);
  });

  test("gives the pods of a node a part of its cluster's range, and the API server the first Service address", () => {
    expect(contains(clusterPodCidr(4), nodePodCidr(4, 13).replace("/24", ""))).toBe(true);
    expect(contains(clusterPodCidr(5), nodePodCidr(4, 13).replace("/24", ""))).toBe(false);
    expect(contains(serviceCidr(4), kubernetesServiceAddress(4))).toBe(true);
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
