// Stands in for the cloud: run by cloud-process.ts in a process of its own, which lives as long as the bed that the
// first argument names. It gives Services of type LoadBalancer an address that every cluster's nodes can reach.
import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "./bed.ts";
import { openKubeconfig } from "./kubeconfig.ts";
import { AddressPool, type ServiceObject } from "./load-balancer.ts";
import { attachBed } from "./provider.ts";

const retryMs = 500;
const servicesPath = "/api/v1/services?fieldSelector=spec.type%3DLoadBalancer";

interface ServiceList {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly ServiceObject[];
}

/** Serves one cluster until the process ends; its addresses live on the first node, which answers ARP for them. */
async function serve({ name, kubeconfigPath, nodes }: Cluster, pool: AddressPool): Promise<void> {
  const [node] = nodes;
  if (!node) return;
  const api = openKubeconfig(kubeconfigPath);
  const onLoopback = async (verb: "replace" | "del", address: string) => {
    const { code, stderr } = await node.exec(["ip", "addr", verb, `${address}/32`, "dev", "lo"]);
    if (code !== 0) throw new Error(`ip addr ${verb} ${address}: ${stderr}`);
  };
  for (;;) {
    try {
      const { metadata, items } = await api.request<ServiceList>("GET", servicesPath);
      const { assign, release } = pool.update(name, items);
      for (const address of release) await onLoopback("del", address);
      for (const { path, address, isNew } of assign) {
        await onLoopback("replace", address);
        if (!isNew) continue;
        await api.request("PATCH", `${path}/status`, {
          status: { loadBalancer: { ingress: [{ ip: address }] } },
        });
        console.log(`${name}: ${path} has ${address}`);
      }
      const watch = `${servicesPath}&watch=1&resourceVersion=${metadata.resourceVersion}`;
      // Whatever the first event says, the list that follows says it better.
      for await (const _event of api.watch(watch, new AbortController().signal)) break;
    } catch (error) {
      console.error(`${name}:`, error);
      await sleep(retryMs);
    }
  }
}

const bed = attachBed(process.argv[2] ?? "");
const pool = new AddressPool(bed.loadBalancerPrefix);
await Promise.all([...bed.clusters.values()].map((cluster) => serve(cluster, pool)));
