import { expect, onTestFinished, test } from "vitest";
import type { Link } from "../../../api/link.ts";
import {
  GATEWAY_NAME,
  gatewayIdentity,
  INSTALL_NAMESPACE,
  peerServerName,
} from "../../../api/names.ts";
import type { Service } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { type FaultProxy, startFaultProxy } from "../../faults/fault-proxy.ts";
import { eventually } from "../fixtures.ts";
import { HURRIED } from "../hurried-clock.ts";
import { createIdentity } from "../gateway/two-gateways.ts";
import { CONSUMER, PROVIDER, useWorld } from "./clusters.ts";
import {
  type ControllerSettings,
  consumerBundle,
  getLink,
  goodKubeconfig,
  LINK_KEY,
  linkEvents,
  putCredentials,
  putLink,
  readyLink,
  readyStatus,
  startController,
  startGateway,
  untilCondition,
  untilReady,
  untilRefused,
} from "./link-world.ts";

const world = useWorld();

/** A gateway, and everything of a link but the Link. */
async function everythingButTheLink(pace: ControllerSettings = HURRIED) {
  await startController(world(), "controller-0", pace);
  const gateway = await startGateway(world());
  await putCredentials(world(), await goodKubeconfig(world()));
  return gateway;
}

test("a provider without a gateway Service, then one without an address, is named and then used", async () => {
  const key = { namespace: INSTALL_NAMESPACE, name: GATEWAY_NAME };
  const { port } = await everythingButTheLink();
  await putLink(world(), {});
  const missing = await untilRefused(world(), "GatewayHealthy", "GatewayMissing");
  expect(missing).toMatch(/isthmus-gateway.*link install/);

  await world().west.create<Service>(RESOURCES.services, {
    metadata: key,
    spec: { type: "LoadBalancer", ports: [{ name: "ingress", port }] },
  });
  const pending = await untilRefused(world(), "GatewayHealthy", "GatewayAddressPending");
  expect(pending).toContain("spec.gateway.addresses");

  const status = { loadBalancer: { ingress: [{ ip: "127.0.0.1" }] } };
  const options = { type: "merge", subresource: "status" } as const;
  await world().west.patch(RESOURCES.services, key, { status }, options);
  expect(await untilReady(world())).toBe("LinkReady");
  expect((await getLink(world())).status).toMatchObject({
    gatewayAddresses: ["127.0.0.1"],
    gatewayPort: port,
  });
  await world().west.remove(RESOURCES.services, key);
});

test("an address without a gateway is named, and the right one used once it is given", async () => {
  const { port } = await everythingButTheLink();
  await putLink(world(), { addresses: ["127.0.0.1"], port: 1 });
  const message = await untilRefused(world(), "GatewayHealthy", "GatewayUnreachable");
  expect(message).toMatch(/127\.0\.0\.1:1: .*ECONNREFUSED/);
  const spec = { gateway: { port } };
  await world().east.patch(RESOURCES.links, LINK_KEY, { spec }, { type: "merge" });
  expect(await untilReady(world())).toBe("LinkReady");
});

test("one bad address of three is named, and the link is Ready through the others", async () => {
  const { port } = await everythingButTheLink();
  await putLink(world(), { addresses: ["127.0.0.1", "127.0.0.2", "localhost"], port });
  expect(await untilReady(world())).toBe("LinkReady");
  const message = await eventually(
    async () => {
      const { status } = await getLink(world());
      const found = status?.conditions?.find(({ type }) => type === "GatewayHealthy");
      expect(`${found?.reason}: ${found?.message}`).toMatch(/SomeAddressesFailing: 2 of 3 /);
      return found?.message;
    },
    // On a busy machine a first probe may be late; words alone are then corrected after 10 s of its clock.
    { describe: "the condition names the bad address", timeoutMs: 30_000 },
  );
  expect(message).toContain("127.0.0.2");
  expect(message).not.toMatch(/127\.0\.0\.1|localhost/);
  expect(await readyStatus(world())).toBe("True");
});

test("a gateway that does not know this cluster is named, and used once it does", async () => {
  const gateway = await everythingButTheLink();
  gateway.ingress.setPeers([]);
  await putLink(world(), { addresses: ["127.0.0.1"], port: gateway.port });
  expect(await untilRefused(world(), "TrustValid", "PeerRejected")).toContain("Peer for east");
  gateway.ingress.setPeers([
    {
      name: CONSUMER,
      serverName: peerServerName(CONSUMER),
      bundlePem: await consumerBundle(world()),
      identity: gatewayIdentity(CONSUMER),
    },
  ]);
  expect(await untilReady(world())).toBe("LinkReady");
});

test("a trust bundle of another CA is named, and follows what the provider publishes", async () => {
  // A hurried controller would follow before a probe has failed.
  const gateway = await everythingButTheLink({});
  const { ca } = await createIdentity(PROVIDER);
  await putLink(
    world(),
    { addresses: ["127.0.0.1"], port: gateway.port },
    { trustBundle: ca.certificatePem },
  );
  const message = await untilRefused(world(), "TrustValid", "GatewayNotTrusted");
  expect(message).toContain("spec.trustBundle");
  expect(await untilReady(world(), 40_000)).toBe("LinkReady");
  expect((await linkEvents(world(), "TrustBundleUpdated")).length).toBeGreaterThan(0);
});

test("of two Links to one cluster the older one works, the other says so and takes over", async () => {
  const { port } = await everythingButTheLink();
  await putLink(world(), { addresses: ["127.0.0.1"], port });
  expect(await untilReady(world())).toBe("LinkReady");
  const { spec } = await getLink(world());
  // Both may be of the same second: then the name decides.
  const second = { ...LINK_KEY, name: `${PROVIDER}-again` };
  await world().east.create<Link>(RESOURCES.links, {
    metadata: second,
    spec: { ...Object(spec), clusterName: PROVIDER },
  });
  const reasonOf = async (name: string) => {
    const { status } = await world().east.get<Link>(RESOURCES.links, { ...LINK_KEY, name });
    return status?.conditions?.find(({ type }) => type === "Ready")?.reason;
  };
  await expect
    .poll(async () => await reasonOf(second.name), { timeout: 10_000 })
    .toBe("DuplicateClusterName");
  expect(await reasonOf(PROVIDER)).toBe("LinkReady");
  await world().east.remove(RESOURCES.links, LINK_KEY);
  await expect.poll(async () => await reasonOf(second.name), { timeout: 20_000 }).toBe("LinkReady");
  await world().east.remove(RESOURCES.links, second);
  await expect
    .poll(async () => await world().east.find(RESOURCES.links, second), { timeout: 10_000 })
    .toBeUndefined();
});

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
  await readyLink(world(), { apiStalenessSeconds: 24 }, { providerAt: proxy, ...HURRIED });
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
  await readyLink(world(), { apiStalenessSeconds: 5 }, { providerAt: proxy });
  await exportService("swallowed");
  await untilMirrored("swallowed");
  expect(await readyStatus(world())).toBe("True");
});

test("an API that swallows requests is said to be lost, in the condition and in the metric", async () => {
  const proxy = await providerProxy();
  const { controller } = await readyLink(world(), {}, { providerAt: proxy, ...HURRIED });
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
