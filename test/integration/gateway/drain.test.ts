import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pino } from "pino";
import { Registry } from "prom-client";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../../api/clock.ts";
import { LABELS, MANAGED_BY } from "../../../api/names.ts";
import type { EndpointSlice } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { Gateway } from "../../../gateway/gateway.ts";
import { run } from "../../bed/command.ts";
import { adminClient, adminConfig, eventually } from "../fixtures.ts";
import { ClusterObjects } from "./cluster-objects.ts";
import { freeEgressPort, hear, startEcho } from "./loopback.ts";
import { ANSWERED } from "./steady-clients.ts";
import { type Identity, createIdentity, startProvider } from "./two-gateways.ts";

const MAIN = path.join(import.meta.dirname, "../../../cmd/gateway/gateway.ts");
/** Where mirrors name the gateway of a test. */
const PUBLISHED = "10.99.0.9";

let west: Identity;
let east: Identity;

beforeAll(async () => {
  [west, east] = await Promise.all([createIdentity("west"), createIdentity("east")]);
});

/** East's cluster with a Link to west's gateway at a port of loopback and a mirror; `port` is the mirror's. */
async function linkedCluster(to: number) {
  const objects = await ClusterObjects.create(adminClient("east"));
  await objects.setLeaf(east.leaf);
  await objects.addLink(west, to);
  const port = await freeEgressPort();
  await objects.addMirror("web-west", "west/shop/web", port);
  return { objects, port };
}

/** A gateway of east's, still to be started; it drains as told. */
function createGateway(
  { client, namespace }: ClusterObjects,
  drain: { drainDelayMs: number; drainDeadlineMs: number },
): Gateway {
  const gateway = new Gateway({
    client,
    namespace,
    clusterName: "east",
    ports: { ingress: 0, health: 0 },
    host: "127.0.0.1",
    publishedAddresses: [PUBLISHED],
    ...drain,
    clock: systemClock,
    random: Math.random,
    logger: pino({ level: "silent" }),
    registry: new Registry(),
  });
  onTestFinished(async () => await gateway.stop());
  return gateway;
}

async function startGateway(objects: ClusterObjects, drainDeadlineMs: number): Promise<Gateway> {
  const gateway = createGateway(objects, { drainDelayMs: 0, drainDeadlineMs });
  await gateway.start(new AbortController().signal);
  return gateway;
}

/** What the controller publishes of a mirror. */
function sliceOf(namespace: string): EndpointSlice {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      namespace,
      name: "web-west",
      labels: { [LABELS.serviceName]: "web-west", [LABELS.managedBy]: MANAGED_BY },
    },
    addressType: "IPv4",
    endpoints: [{ addresses: [PUBLISHED], conditions: { ready: true } }],
    ports: [{ name: "http", port: 80, protocol: "TCP" }],
  };
}

async function untilAnswered(port: number): Promise<void> {
  await eventually(async () => expect(await hear(port, "x")).toBe(ANSWERED), {
    describe: "the mirror answers",
  });
}

test("a gateway that drains takes connections until mirrors name it no more", async () => {
  const provider = await startProvider(west, [east]);
  provider.export("web", [await startEcho()]);
  const { objects, port } = await linkedCluster(provider.port);
  const slice = await objects.client.create(RESOURCES.endpointSlices, sliceOf(objects.namespace));
  const gateway = await startGateway(objects, 60_000);
  await untilAnswered(port);

  const startMs = performance.now();
  const drained = gateway.drain();
  await eventually(
    async () => {
      expect(await hear(port, "x")).toBe(ANSWERED);
      expect(performance.now() - startMs).toBeGreaterThan(1000);
    },
    { describe: "a second of answers while it is named" },
  );
  await objects.client.remove(RESOURCES.endpointSlices, {
    namespace: objects.namespace,
    name: slice.metadata.name,
  });
  await eventually(async () => expect(await hear(port, "x")).toBe("ECONNREFUSED"), {
    describe: "it takes no more connections",
  });
  await drained;
});

test("a gateway that drains does not wait for ever for a controller that is gone", async () => {
  const provider = await startProvider(west, [east]);
  provider.export("web", [await startEcho()]);
  const { objects, port } = await linkedCluster(provider.port);
  await objects.client.create(RESOURCES.endpointSlices, sliceOf(objects.namespace));
  const gateway = await startGateway(objects, 1000);
  await untilAnswered(port);
  await gateway.drain();
  expect(gateway.openPorts).toEqual([]);
});

test("a gateway that is told to end before it listens ends at once", async () => {
  const { objects } = await linkedCluster(1);
  const gateway = createGateway(objects, { drainDelayMs: 300_000, drainDeadlineMs: 600_000 });
  const started = gateway.start(new AbortController().signal).then(() => "started", String);
  await gateway.drain();
  expect(await started).toContain("stopped");
});

test("a signal that comes while the process still reads its kubeconfig is not lost", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "isthmus-gateway-"));
  onTestFinished(async () => await rm(folder, { recursive: true }));
  const kubeconfig = path.join(folder, "kubeconfig");
  await run(["mkfifo", kubeconfig]);
  const flags = [`--kubeconfig=${kubeconfig}`, "--host=127.0.0.1", "--ingress-port=0"];
  const health = `--health-port=${await freeEgressPort()}`;
  const child = spawn(process.execPath, [MAIN, ...flags, health], {
    env: { CLUSTER_NAME: "east" },
    stdio: ["ignore", "ignore", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const exited = once(child, "exit");
  // Resolves once the other end is opened for reading: nothing else can happen there meanwhile.
  const pipe = await open(kubeconfig, "w");
  child.kill("SIGTERM");
  await pipe.writeFile(adminConfig("east").exportConfig());
  await pipe.close();
  expect(await exited).toEqual([0, null]);
});
