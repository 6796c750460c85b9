// Stands in for the cloud: run by local.ts in a process of its own, which lives as long as the bed in the slot that
// the first argument names. It gives Services of type LoadBalancer an address that every cluster's nodes can reach.
import { setTimeout as sleep } from "node:timers/promises";
import { addressPlan } from "./address-plan.ts";
import type { Api } from "./api.ts";
import { runOk } from "./command.ts";
import { adminKubeconfigPath } from "./control-plane.ts";
import { openKubeconfig } from "./kubeconfig.ts";
import { AddressPool, type ServiceObject } from "./load-balancer.ts";
import { planClusters } from "./local-bed.ts";
import { nodeNetns } from "./node-plan.ts";
import { readState } from "./state.ts";

const retryMs = 500;
const servicesPath = "/api/v1/services?fieldSelector=spec.type%3DLoadBalancer";

interface ServiceList {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly ServiceObject[];
}

/** Serves one cluster until the process ends; its addresses live on the first node, which answers ARP for them. */
async function serve(cluster: string, api: Api, netns: string, pool: AddressPool): Promise<never> {
  const onLoopback = (verb: "replace" | "del", address: string) =>
    runOk(["ip", "-n", netns, "addr", verb, `${address}/32`, "dev", "lo"]);
  for (;;) {
    try {
      const { metadata, items } = await api.request<ServiceList>("GET", servicesPath);
      const { assign, release } = pool.update(cluster, items);
      for (const address of release) await onLoopback("del", address);
      for (const { path, address, isNew } of assign) {
        await onLoopback("replace", address);
        if (!isNew) continue;
        await api.request("PATCH", `${path}/status`, { status: { loadBalancer: { ingress: [{ ip: address }] } } });
        console.log(`${cluster}: ${path} has ${address}`);
      }
      const watch = `${servicesPath}&watch=1&resourceVersion=${metadata.resourceVersion}`;
      // Whatever the first event says, the list that follows says it better.
      for await (const _event of api.watch(watch, new AbortController().signal)) break;
    } catch (error) {
      console.error(`${cluster}:`, error);
      await sleep(retryMs);
    }
  }
}

const state = readState(Number(process.argv[2]));
if (!state) throw new Error("usage: cloud.ts SLOT");
const pool = new AddressPool(addressPlan(state.slot));
await Promise.all(
  planClusters(state)
    .filter(({ spec }) => spec.nodes > 0)
    .map((plan) => serve(plan.spec.name, openKubeconfig(adminKubeconfigPath(plan)), nodeNetns(plan, 0), pool)),
);
