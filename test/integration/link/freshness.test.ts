import { expect, onTestFinished, test } from "vitest";
import type { Service } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { type FaultProxy, startFaultProxy } from "../../faults/fault-proxy.ts";
import { eventually } from "../fixtures.ts";
import { useWorld } from "./clusters.ts";
import { readyLink, readyStatus, untilCondition } from "./link-world.ts";

const world = useWorld();

/** In front of the provider's API server; a link's requests carry its token. */
async function providerProxy(): Promise<FaultProxy> {
  const { server, caPem } = world().provider;
  const proxy = await startFaultProxy({ server, caPem, certPem: "", keyPem: "" });
  onTestFinished(async () => await proxy.close());
  return proxy;
}

async function exportService(name: string): Promise<void> {
  const key = { namespace: "default", name };
  await world().west.create<Service>(RESOURCES.services, {
    metadata: { ...key, annotations: { "isthmus.dev/export": "true" } },
    spec: { ports: [{ name: "http", port: 80 }] },
  });
  onTestFinished(async () => await world().west.remove(RESOURCES.services, key));
}

async function untilMirrored(name: string): Promise<void> {
  const key = { namespace: "default", name: `${name}-west` };
  await eventually(async () => await world().east.get(RESOURCES.services, key), {
    describe: `the mirror of ${name} is there`,
  });
}

test("watches that hang while other requests work are found stale, and nothing is missed when they come back", async () => {
  const proxy = await providerProxy();
  // Those of the start bring nothing but their heads; those opened after them not even that.
  proxy.inject({ match: "watch", fault: { type: "silence" }, times: 3 });
  const thaw = proxy.inject({ match: "watch", fault: { type: "hang" }, times: Infinity });
  await readyLink(world(), { apiStalenessSeconds: 16 }, { providerAt: proxy });
  await exportService("missed");
  const { message } = await untilCondition(world(), "ApiReachable", "False ApiLostTolerated");
  expect(message).toMatch(/\(WatchStale\): nothing came over the watches/);
  expect(await readyStatus(world())).toBe("True");
  thaw();
  await untilMirrored("missed");
  await untilCondition(world(), "ApiReachable", "True Synced");
});

test("a silent watch is opened anew within its deadline, and what it swallowed is found", async () => {
  const proxy = await providerProxy();
  proxy.inject({ match: "watch", fault: { type: "silence" }, times: 3 });
  await readyLink(world(), { apiStalenessSeconds: 8 }, { providerAt: proxy });
  await exportService("swallowed");
  await untilMirrored("swallowed");
  expect(await readyStatus(world())).toBe("True");
});

test("an API that swallows requests is said to be lost, in the condition and in the metric", async () => {
  const proxy = await providerProxy();
  const { controller } = await readyLink(world(), {}, { providerAt: proxy });
  const back = proxy.inject({ match: () => true, fault: { type: "hang" }, times: Infinity });
  const { message } = await untilCondition(world(), "ApiReachable", "False ApiLostTolerated");
  expect(message).toContain("no answer in time");
  expect(await controller.registry.metrics()).toContain(
    'isthmus_link_condition{link="west",condition="ApiReachable",status="False"} 1',
  );
  expect(await readyStatus(world())).toBe("True");
  back();
  await untilCondition(world(), "ApiReachable", "True Synced");
});
