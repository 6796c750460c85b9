import { afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import {
  CONTROLLER_NAME,
  GATEWAY_NAME,
  INSTALL_NAMESPACE,
  LABELS,
  LEADER_LEASE_NAME,
} from "../../../api/names.ts";
import type { KubeObject, Service } from "../../../api/objects.ts";
import { RESOURCES, type Resource } from "../../../api/resources.ts";
import { poll } from "../../bed/poll.ts";
import {
  killGateway,
  scaleGateway,
  untilAnswered,
  untilGone,
  untilRefused,
  untilSteady,
  untilUnresolved,
  wrongAttempts,
} from "../../system/journey.ts";
import { killPods } from "../../system/kill-pods.ts";
import { link } from "../../system/link-command.ts";
import { createNamespaces, type Member, startCaller, type System } from "../../system/system.ts";
import { applyObjects } from "../../workload/apply-objects.ts";
import type { Caller } from "../../workload/caller.ts";
import { webServer } from "../../workload/web-server.ts";
import type { World } from "./world.ts";
import { isClosed, readyAddresses, slicesOf } from "../../workload/mirror-state.ts";

const SETTLE_TIMEOUT_MS = 60_000;
/** Answers in a row after which a state counts as steady: two seconds of them. */
const STEADY = 100;
const OURS = `${LABELS.managedBy}=isthmus`;

let system: System;
let west: Member;
let east: Member;

let namespaceCount = 0;
let namespace: string;
let caller: Caller | undefined;

/** A pod in east that calls the mirror, after its first answer from west. */
async function callExportedMirror(): Promise<Caller> {
  await link(system.bed, "export", "svc/web", "-n", namespace, "--context", "west");
  caller = await startCaller(system, east, {
    namespace,
    name: "caller",
    target: `http://web-west.${namespace}.svc/`,
  });
  await untilAnswered(caller, "west", 0);
  return caller;
}

async function scaleWeb(replicas: number): Promise<void> {
  const key = { namespace, name: "web" };
  await west.client.patch(RESOURCES.deployments, key, { spec: { replicas } }, { type: "merge" });
}

async function mirrorAddresses(): Promise<string[]> {
  return readyAddresses(await slicesOf(east.client, { namespace, name: "web-west" }));
}

async function untilMirrorClosed(): Promise<void> {
  const name = { namespace, name: "web-west" };
  const isShut = async (): Promise<boolean> =>
    isClosed(
      await slicesOf(east.client, name),
      await east.client.get<Service>(RESOURCES.services, name),
    );
  await poll("the mirror is closed", isShut, { timeoutMs: SETTLE_TIMEOUT_MS });
}

async function oursIn(resource: Resource): Promise<string[]> {
  const { items } = await east.client.list<KubeObject>(resource, {
    namespace,
    labelSelector: OURS,
  });
  return items.map(({ metadata }) => metadata.name);
}

/** What a joined pair of clusters does for a pod of the consumer, in good times and bad. */
export function lifeTests(world: () => World): void {
  beforeAll(() => {
    ({ system, west, east } = world());
  });

  beforeEach(async () => {
    namespaceCount += 1;
    namespace = `shop-${namespaceCount}`;
    await createNamespaces([west, east], namespace);
    await applyObjects(
      west.client,
      webServer({ namespace, name: "web", cluster: "west", image: system.image }),
    );
  });

  afterEach(async () => {
    await caller?.stop();
    caller = undefined;
    await Promise.all(
      [west, east].map(({ client }) => client.remove(RESOURCES.namespaces, { name: namespace })),
    );
  });

  it("answers a pod in east by the mirror's cluster DNS name from west's pods", async () => {
    const calling = await callExportedMirror();
    expect(wrongAttempts(calling, "west")).toEqual([]);
    expect(await mirrorAddresses()).toHaveLength(2);
  });

  it("removes every object of the mirror on unexport, and only those", async () => {
    await callExportedMirror();
    const own = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { namespace, name: "own" },
      spec: { ports: [{ port: 80 }] },
    };
    await east.client.create(RESOURCES.services, own);

    const unexportedAtMs = Date.now();
    await link(system.bed, "unexport", "svc/web", "-n", namespace, "--context", "west");
    await untilGone(east, namespace, "web-west");
    if (caller !== undefined) await untilUnresolved(caller, unexportedAtMs);

    for (const resource of [RESOURCES.services, RESOURCES.endpointSlices, RESOURCES.endpoints]) {
      await poll(
        `no ${resource.plural} of ours`,
        async () => (await oursIn(resource)).length === 0,
        {
          timeoutMs: SETTLE_TIMEOUT_MS,
        },
      );
    }
    await expect(
      east.client.get(RESOURCES.services, { namespace, name: "own" }),
    ).resolves.toBeDefined();
  });

  it("refuses when the provider's gateway is killed and answers when it returns", async () => {
    const calling = await callExportedMirror();
    await untilSteady(calling, "west", STEADY);
    const killedAtMs = await killGateway(west);
    await untilRefused(calling, killedAtMs);
    await untilMirrorClosed();
    const returnedAtMs = Date.now();
    await scaleGateway(west, 2);
    await untilAnswered(calling, "west", returnedAtMs);
    expect(wrongAttempts(calling, "west")).toEqual([]);
  });

  it("refuses when the exported Service has no ready pod and answers when it has one again", async () => {
    const calling = await callExportedMirror();
    const scaledAtMs = Date.now();
    await scaleWeb(0);
    await untilRefused(calling, scaledAtMs);
    const returnedAtMs = Date.now();
    await scaleWeb(1);
    await untilAnswered(calling, "west", returnedAtMs);
  });

  it("goes on answering, and mirrors anew, after the leading controller is killed", async () => {
    const calling = await callExportedMirror();
    const lease = await east.client.get<KubeObject & { spec?: { holderIdentity?: string } }>(
      RESOURCES.leases,
      {
        namespace: INSTALL_NAMESPACE,
        name: LEADER_LEASE_NAME,
      },
    );
    expect(lease.spec?.holderIdentity).toContain(CONTROLLER_NAME);
    const killedAtMs = await killPods(east, INSTALL_NAMESPACE, `${LABELS.name}=${CONTROLLER_NAME}`);

    await scaleWeb(0);
    await untilMirrorClosed();
    const failures = calling.attempts.filter(
      ({ atMs, code }) => atMs > killedAtMs && code === "ETIMEDOUT",
    );
    expect(failures).toEqual([]);
  });

  it("refuses when the provider deletes the Peer, and answers when it is joined again", async () => {
    const calling = await callExportedMirror();
    const revokedAtMs = Date.now();
    await west.client.remove(RESOURCES.peers, { namespace: INSTALL_NAMESPACE, name: "east" });
    await untilRefused(calling, revokedAtMs);

    const rejoinedAtMs = Date.now();
    await link(system.bed, "join", "west", "--context", "east");
    await untilAnswered(calling, "west", rejoinedAtMs);
  });

  it("leaves alone a Service that has the mirror's name, and mirrors once it is gone", async () => {
    const taken = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { namespace, name: "web-west" },
      spec: { ports: [{ port: 81 }] },
    };
    const before = await east.client.create<Service>(RESOURCES.services, taken);
    await link(system.bed, "export", "svc/web", "-n", namespace, "--context", "west");
    await poll(
      "link status tells of the collision",
      async () => (await link(system.bed, "status", "--context", "east")).includes("NameTaken"),
      { timeoutMs: SETTLE_TIMEOUT_MS, intervalMs: 500 },
    );
    const after = await east.client.get<Service>(RESOURCES.services, {
      namespace,
      name: "web-west",
    });
    expect(after.metadata.resourceVersion).toBe(before.metadata.resourceVersion);

    await east.client.remove(RESOURCES.services, { namespace, name: "web-west" });
    await poll("the mirror takes the free name", async () => (await mirrorAddresses()).length > 0, {
      timeoutMs: SETTLE_TIMEOUT_MS,
    });
  });

  it("keeps every pod of the product within Pod Security restricted, ready and unrestarted by its own fault", async () => {
    const { items } = await west.client.list<KubeObject & { status?: { phase?: string } }>(
      RESOURCES.pods,
      {
        namespace: INSTALL_NAMESPACE,
        labelSelector: `${LABELS.name} in (${CONTROLLER_NAME},${GATEWAY_NAME})`,
      },
    );
    expect(items.map(({ status }) => status?.phase)).toEqual([
      "Running",
      "Running",
      "Running",
      "Running",
    ]);
  });

  it("takes away all of a link on unjoin, and nothing else", async () => {
    await callExportedMirror();
    await link(system.bed, "unjoin", "west", "--context", "east", "--provider-context", "west");
    expect(await oursIn(RESOURCES.services)).toEqual([]);
    expect(
      await west.client.find(RESOURCES.peers, { namespace: INSTALL_NAMESPACE, name: "east" }),
    ).toBeUndefined();
    await expect(east.client.get(RESOURCES.namespaces, { name: namespace })).resolves.toBeDefined();
    await expect(
      west.client.get(RESOURCES.services, { namespace, name: "web" }),
    ).resolves.toBeDefined();

    await link(system.bed, "join", "west", "--context", "east");
    if (caller !== undefined) await untilAnswered(caller, "west", Date.now());
  });
}
