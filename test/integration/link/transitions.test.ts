import { expect, onTestFinished, test } from "vitest";
import { INSTALL_NAMESPACE, LEADER_LEASE_NAME } from "../../../api/names.ts";
import type { Service } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { Lease } from "../../../kube/elector/lease.ts";
import type { KubeEvent } from "../../../kube/events.ts";
import { createLogger } from "../../../kube/logger.ts";
import { type FaultProxy, startFaultProxy } from "../../faults/fault-proxy.ts";
import type { ProxiedRequest } from "../../faults/proxied-request.ts";
import { eventually } from "../fixtures.ts";
import { HURRIED } from "../hurried-clock.ts";
import { useWorld } from "./clusters.ts";
import {
  getLink,
  goodKubeconfig,
  putCredentials,
  putLink,
  readyLink,
  startController,
  startGateway,
  untilCondition,
  untilReady,
} from "./link-world.ts";

const world = useWorld();

/** The lines of a controller's log that tell of a condition, like `Ready True LinkReady`. */
function transitionLog() {
  const lines: string[] = [];
  const write = (line: string): void => {
    const { condition, status, reason } = JSON.parse(line);
    if (condition !== undefined) lines.push(`${condition} ${status} ${reason}`);
  };
  return { lines, logger: createLogger({ name: "controller-0", destination: { write } }) };
}

/** What Events since a time say of conditions, each as often as it happened. */
async function transitionEvents(sinceIso: string): Promise<string[]> {
  const { items } = await world().east.list<KubeEvent>(RESOURCES.events, {
    namespace: INSTALL_NAMESPACE,
  });
  return items
    .filter(({ eventTime = "", action }) => eventTime >= sinceIso && action === "Assess")
    .flatMap(({ note = "", reason = "", series }) => {
      const [, type, status] = /^(\w+) is (\w+):/.exec(note) ?? [];
      return Array.from({ length: series?.count ?? 1 }, () => `${type} ${status} ${reason}`);
    });
}

function of(lines: readonly string[], type: string): string[] {
  return lines
    .filter((line) => line.startsWith(`${type} `))
    .map((line) => line.slice(type.length + 1));
}

/** In front of the consumer's API server. */
async function consumerProxy(): Promise<FaultProxy> {
  const { server, caPem } = world().consumer;
  const proxy = await startFaultProxy({ server, caPem, certPem: "", keyPem: "" });
  onTestFinished(async () => await proxy.close());
  return proxy;
}

function writesStatus({ method, path }: ProxiedRequest): boolean {
  return method === "PATCH" && path.endsWith("/links/west/status");
}

/** What was written of the link and its mirrors from the nth request on. */
function writes(proxy: FaultProxy, from: number): string[] {
  return proxy.requests
    .slice(from)
    .filter(({ method, path }) => method !== "GET" && /\/(links|services|endpoint)/.test(path))
    .map(({ path }) => path);
}

test("each transition of a life is one Event, one line of the log and one count", async () => {
  const { lines, logger } = transitionLog();
  const startedAt = new Date().toISOString();
  const { controller, gateway } = await readyLink(world(), {}, { logger, ...HURRIED });
  const { port } = gateway;
  gateway.ingress.destroy();
  await untilCondition(world(), "Ready", "False GatewayUnreachable");
  await startGateway(world(), port);
  await untilReady(world());
  const apiServer = world().provider.process("kube-apiserver");
  apiServer.pause();
  try {
    await untilCondition(world(), "ApiReachable", "False ApiLostTolerated");
  } finally {
    apiServer.resume();
  }
  await untilCondition(world(), "ApiReachable", "True Synced");
  await controller.stop();
  // Without one the Link could not be removed at the end.
  onTestFinished(async () => void (await startController(world(), "controller-1")));

  // On a busy machine a first probe may be late, and a link Ready only at the second.
  expect(of(lines, "GatewayHealthy").slice(-3)).toEqual([
    "True GatewayAnswering",
    "False GatewayUnreachable",
    "True GatewayAnswering",
  ]);
  const ready = of(lines, "Ready").filter((line) => line !== "False Flapping");
  expect(ready.slice(-3)).toEqual(["True LinkReady", "False GatewayUnreachable", "True LinkReady"]);
  expect(of(lines, "ApiReachable").slice(-3)).toEqual([
    "True Synced",
    "False ApiLostTolerated",
    "True Synced",
  ]);
  expect((await transitionEvents(startedAt)).toSorted()).toEqual(lines.toSorted());
  const metrics = await controller.registry.metrics();
  const counted = [...metrics.matchAll(/^isthmus_link_condition_transitions_total{.*} (\d+)$/gm)];
  expect(counted.reduce((total, [, count]) => total + Number(count), 0)).toBe(lines.length);
  // Another replica may lead now: nothing is claimed of the link any more.
  expect(metrics).not.toMatch(/^isthmus_link_(condition|gateway_address_up){/m);
});

test("a link that closes says so before any of its mirrors is written", async () => {
  const { west, east } = world();
  const proxy = await consumerProxy();
  const names = ["a", "b", "c", "d", "e", "f"];
  for (const name of names) {
    const key = { namespace: "default", name };
    await west.create<Service>(RESOURCES.services, {
      metadata: { ...key, annotations: { "isthmus.dev/export": "true" } },
      spec: { ports: [{ name: "http", port: 80 }] },
    });
    onTestFinished(async () => await west.remove(RESOURCES.services, key));
  }
  const { gateway } = await readyLink(world(), {}, { at: proxy, ...HURRIED });
  await eventually(
    async () => {
      expect((await getLink(world())).status?.mirroredServices).toBe(names.length);
      for (const name of names) {
        const mirror = await east.get(RESOURCES.services, {
          namespace: "default",
          name: `${name}-west`,
        });
        expect(mirror.metadata.annotations?.["isthmus.dev/state-reason"]).not.toBe("LinkNotReady");
      }
    },
    { describe: "all is mirrored and quiet" },
  );
  const before = proxy.requests.length;
  gateway.ingress.destroy();
  await untilCondition(world(), "Ready", "False GatewayUnreachable");
  await eventually(
    () => {
      const mirrors = new Set(writes(proxy, before).filter((path) => path.includes("/services/")));
      expect(mirrors.size).toBe(names.length);
    },
    { describe: "the mirrors are written" },
  );
  expect(writes(proxy, before)[0]).toMatch(/\/links\/west\/status$/);
});

test("a closing whose status cannot be written is tried again soon, and told once", async () => {
  const proxy = await consumerProxy();
  const { gateway, controller } = await readyLink(world(), {}, { at: proxy, ...HURRIED });
  const conflict = {
    kind: "Status",
    apiVersion: "v1",
    status: "Failure",
    code: 409,
    reason: "Conflict",
  };
  proxy.inject({
    match: writesStatus,
    fault: {
      type: "respond",
      statusCode: 409,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(conflict),
    },
    times: 8,
  });
  const counted = async (): Promise<number> => {
    const metrics = await controller.registry.metrics();
    const [, count = "0"] =
      /transitions_total{link="west",condition="Ready",reason="GatewayUnreachable"} (\d+)/.exec(
        metrics,
      ) ?? [];
    return Number(count);
  };
  const before = await counted();
  gateway.ingress.destroy();
  await untilCondition(world(), "Ready", "False GatewayUnreachable", 30_000);
  await expect.poll(counted).toBe(before + 1);
});

const LEASE_KEY = { namespace: INSTALL_NAMESPACE, name: LEADER_LEASE_NAME };

async function untilLeading(controller: { leading: boolean }): Promise<void> {
  await eventually(() => expect(controller.leading).toBe(true), { describe: "a leader" });
}

test("of two replicas one leads, the other is ready, and takes over when the leader ends", async () => {
  const first = await startController(world(), "controller-0");
  await untilLeading(first);
  const second = await startController(world(), "controller-1");
  const gateway = await startGateway(world());
  await putCredentials(world(), await goodKubeconfig(world()));
  await putLink(world(), { addresses: ["127.0.0.1"], port: gateway.port });
  await untilCondition(world(), "Ready", "True LinkReady");
  expect(second.leading).toBe(false);
  const readyz = await fetch(`http://127.0.0.1:${second.healthPort}/readyz`);
  expect(readyz.status).toBe(200);

  const before = await getLink(world());
  await first.stop();
  await untilLeading(second);
  gateway.ingress.destroy();
  await untilCondition(world(), "Ready", "False GatewayUnreachable");
  expect(before.status?.conditions?.every(({ status }) => status === "True")).toBe(true);
});

test("a replica that loses its Lease stops leading and asks for a new beginning", async () => {
  const controller = await startController(world(), "controller-0");
  await untilLeading(controller);
  const lease = await world().east.get<Lease>(RESOURCES.leases, LEASE_KEY);
  await world().east.replace<Lease>(RESOURCES.leases, {
    ...lease,
    spec: { ...lease.spec, holderIdentity: "someone-else" },
  });
  await controller.lost;
  expect(controller.leading).toBe(false);
  await world().east.remove(RESOURCES.leases, LEASE_KEY);
});

test("metrics, liveness and readiness are served", async () => {
  const controller = await startController(world());
  const get = async (path: string) =>
    await fetch(`http://127.0.0.1:${controller.healthPort}${path}`);
  expect((await get("/healthz")).status).toBe(200);
  expect((await get("/readyz")).status).toBe(200);
  expect(await (await get("/metrics")).text()).toContain("isthmus_leader");
});
