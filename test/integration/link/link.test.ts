import { expect, test } from "vitest";
import { systemClock } from "../../../api/clock.ts";
import { INSTALL_NAMESPACE, LINK_FINALIZER, linkServiceAccountName } from "../../../api/names.ts";
import type { Secret, Service } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { readToken, tokenOf } from "../../../controller/link/credentials/token.ts";
import { eventually } from "../fixtures.ts";
import { HURRIED } from "../hurried-clock.ts";
import { CONSUMER, useWorld } from "./clusters.ts";
import {
  getLink,
  goodKubeconfig,
  LINK_KEY,
  linkEvents,
  putCredentials,
  putLink,
  readyLink,
  readyStatus,
  SECRET_KEY,
  startController,
  startGateway,
  untilCondition,
  untilReady,
} from "./link-world.ts";

const world = useWorld();

/** The sum of the series of a metric whose lines begin like this. */
function sum(metrics: string, beginning: string): number {
  return metrics
    .split("\n")
    .filter((line) => line.startsWith(beginning))
    .reduce((total, line) => total + Number(line.split(" ").at(-1)), 0);
}

function probes(metrics: string): number {
  return sum(metrics, "isthmus_link_gateway_probes_total{");
}

test("a link becomes Ready, with each condition True and one Event for each", async () => {
  const startedAt = new Date().toISOString();
  await readyLink(world());
  const { status, metadata } = await getLink(world());
  expect(status?.conditions?.map(({ type, status: is }) => `${type} ${is}`)).toEqual([
    "CredentialsValid True",
    "ApiReachable True",
    "TrustValid True",
    "GatewayHealthy True",
    "Ready True",
  ]);
  expect(status?.gatewayAddresses).toEqual(["127.0.0.1"]);
  expect(status?.observedGeneration).toBe(metadata.generation);
  await expect
    .poll(async () => {
      const events = await linkEvents(world(), "LinkReady");
      return events.filter(({ eventTime = "" }) => eventTime >= startedAt).length;
    })
    .toBe(1);
});

test("a steady link writes nothing, however often it is probed", async () => {
  const { controller } = await readyLink(world(), {}, HURRIED);
  const before = await eventually(
    async () => {
      const link = await getLink(world());
      if (link.status?.mirroredServices === undefined) throw new Error("not counted yet");
      return link;
    },
    { describe: "the mirrors are counted, which may follow the conditions" },
  );
  const countBefore = probes(await controller.registry.metrics());
  await eventually(
    async () => {
      const count = probes(await controller.registry.metrics());
      if (count < countBefore + 4) throw new Error(`${count - countBefore} probes`);
    },
    { describe: "four more probes" },
  );
  expect((await getLink(world())).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
});

test("a link closes when its gateway stops answering, and opens when it returns", async () => {
  // By the thresholds of the default.
  const { gateway } = await readyLink(world(), { probe: { timeoutSeconds: 5 } }, HURRIED);
  const { port } = gateway;
  gateway.ingress.destroy();
  await untilCondition(world(), "GatewayHealthy", "False GatewayUnreachable");
  await untilCondition(world(), "Ready", "False GatewayUnreachable");
  await startGateway(world(), port);
  expect(await untilReady(world())).toBe("LinkReady");
});

test("a link outlives the loss of its provider's API for as long as it says, and no longer", async () => {
  await readyLink(world(), { apiStalenessSeconds: 6 });
  const apiServer = world().provider.process("kube-apiserver");
  apiServer.pause();
  try {
    const { message } = await untilCondition(world(), "ApiReachable", "False ApiLostTolerated");
    expect(message).toContain(world().provider.server);
    expect(await readyStatus(world())).toBe("True");
    await untilCondition(world(), "Ready", "False ApiLostTooLong");
  } finally {
    apiServer.resume();
  }
  await untilReady(world());
});

test("a deleted Secret closes the link after the bound, and says so at once", async () => {
  await readyLink(world(), { apiStalenessSeconds: 16 }, HURRIED);
  await world().east.remove(RESOURCES.secrets, SECRET_KEY);
  await untilCondition(world(), "CredentialsValid", "False SecretNotFound");
  expect(await readyStatus(world())).toBe("True");
  await untilCondition(world(), "Ready", "False SecretNotFound");
  await putCredentials(world(), await goodKubeconfig(world()));
  await untilReady(world());
});

test("new credentials take over without the link closing", async () => {
  const { controller } = await readyLink(world());
  const before = await getLink(world());
  await world().east.patch(
    RESOURCES.secrets,
    SECRET_KEY,
    { data: { kubeconfig: Buffer.from(await goodKubeconfig(world())).toString("base64") } },
    { type: "merge" },
  );
  await eventually(
    async () => {
      const metrics = await controller.registry.metrics();
      const lists = sum(metrics, 'isthmus_kube_reflector_lists_total{reflector="west/services"}');
      if (lists < 2) throw new Error(`${lists} lists`);
    },
    { describe: "the provider was listed with the new credentials" },
  );
  const after = await getLink(world());
  expect(after.status?.conditions).toEqual(before.status?.conditions);
});

test("a token is renewed with itself once it is old, and nothing else of the kubeconfig changes", async () => {
  // 600 s is the shortest life the API server grants: the controller's clock is ahead instead.
  const ahead = { ...systemClock, nowMs: () => systemClock.nowMs() + 500_000 };
  await startController(world(), "controller-0", { clock: ahead });
  const gateway = await startGateway(world());
  const old = await goodKubeconfig(world(), 600);
  await putCredentials(world(), old);
  await putLink(world(), { addresses: ["127.0.0.1"], port: gateway.port });
  const renewed = await eventually(
    async () => {
      const { data } = await world().east.get<Secret>(RESOURCES.secrets, SECRET_KEY);
      const text = Buffer.from(data?.["kubeconfig"] ?? "", "base64").toString();
      if (text === old) throw new Error("still the old one");
      return text;
    },
    { describe: "the Secret has another kubeconfig" },
  );
  const token = tokenOf(renewed) ?? "";
  expect(readToken(token, Date.now())?.serviceAccount).toBe(linkServiceAccountName(CONSUMER));
  expect(renewed).toBe(old.replace(tokenOf(old) ?? "", JSON.stringify(token)));
  await untilReady(world());
  await expect.poll(async () => (await linkEvents(world(), "TokenRenewed")).length).toBe(1);
});

test("a deleted Link goes when its mirrors are gone, with the provider unreachable", async () => {
  const { west, east, provider } = world();
  await readyLink(world(), {}, HURRIED);
  const service = { namespace: "default", name: "web" };
  await west.create<Service>(RESOURCES.services, {
    metadata: { ...service, annotations: { "isthmus.dev/export": "true" } },
    spec: { ports: [{ name: "http", port: 80 }] },
  });
  const mirror = { namespace: "default", name: "web-west" };
  await eventually(async () => await east.get(RESOURCES.services, mirror), {
    describe: "the mirror is there",
  });
  expect((await getLink(world())).metadata.finalizers).toContain(LINK_FINALIZER);
  await expect
    .poll(async () => (await getLink(world())).status?.mirroredServices, { timeout: 10_000 })
    .toBe(1);
  const apiServer = provider.process("kube-apiserver");
  apiServer.pause();
  try {
    await east.remove(RESOURCES.links, LINK_KEY);
    await eventually(
      async () => {
        expect(await east.find(RESOURCES.links, LINK_KEY)).toBeUndefined();
      },
      { describe: "the Link is gone" },
    );
    expect(await east.find(RESOURCES.services, mirror)).toBeUndefined();
  } finally {
    apiServer.resume();
  }
  await west.remove(RESOURCES.services, service);
});

test("a link that was Ready stays so through a restart of the controller", async () => {
  const { controller } = await readyLink(world(), {}, HURRIED);
  const before = await getLink(world());
  await controller.stop();
  const again = await startController(world(), "controller-1", HURRIED);
  await eventually(
    async () => {
      if (probes(await again.registry.metrics()) < 3) throw new Error("not yet");
    },
    { describe: "three probes of the new controller" },
  );
  const after = await getLink(world());
  expect(after.status?.conditions).toEqual(before.status?.conditions);
});

test("a link that was Ready closes when the gateway is gone after a restart", async () => {
  const { controller, gateway } = await readyLink(world());
  await controller.stop();
  gateway.ingress.destroy();
  await startController(world(), "controller-1");
  const { status } = await untilCondition(world(), "Ready", "False GatewayUnreachable");
  expect(status).toBe("False");
});

test("the Secrets of this cluster's identity are made once and left alone", async () => {
  const first = await startController(world());
  const keys = ["isthmus-ca", "isthmus-gateway-tls"];
  const read = async () =>
    await Promise.all(
      keys.map(
        async (name) =>
          await eventually(
            async () =>
              await world().east.get<Secret>(RESOURCES.secrets, {
                namespace: INSTALL_NAMESPACE,
                name,
              }),
            { describe: `Secret ${name}` },
          ),
      ),
    );
  const before = await read();
  await first.stop();
  await startController(world(), "controller-1");
  await startGateway(world());
  expect((await read()).map(({ metadata }) => metadata.resourceVersion)).toEqual(
    before.map(({ metadata }) => metadata.resourceVersion),
  );
});
