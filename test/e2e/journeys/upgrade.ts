import { afterAll, beforeAll, expect, it } from "vitest";
import { type Link, parseLinkSpec } from "../../../api/link.ts";
import {
  ANNOTATIONS,
  CONTROLLER_NAME,
  GATEWAY_NAME,
  INSTALL_NAMESPACE,
  LABELS,
} from "../../../api/names.ts";
import type { Service } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { runOk } from "../../bed/command.ts";
import { importIntoLocalBed } from "../../bed/local-bed.ts";
import { differences, takeSettledSnapshot, takeSnapshot } from "../../system/cluster-snapshot.ts";
import { untilAnswered } from "../../system/journey.ts";
import { kubectl, kubectlApply } from "../../system/kubectl.ts";
import { link } from "../../system/link-command.ts";
import { buildRelease, type Release } from "../../system/previous-release.ts";
import { replaceGateways, untilNoneDrains } from "../../system/rollout.ts";
import { type Member, startCaller, startLoad, LOAD, type System } from "../../system/system.ts";
import { applyObjects } from "../../workload/apply-objects.ts";
import type { Caller } from "../../workload/caller.ts";
import type { Load } from "../../workload/load.ts";
import { webServer } from "../../workload/web-server.ts";

const NAMESPACE = "shop";
const HOST = `web-west.${NAMESPACE}.svc`;
/** A busy machine must not look like a gateway that is gone: here only the upgrade may matter. */
const PATIENT_PROBE = { timeoutSeconds: 5, failureThreshold: 10 };
/** New connections a second: two cores also start eight pods of the product meanwhile. */
const RATE = 50;
const WAIT = "--timeout=120s";

let release: Release;
let system: System;
let west: Member;
let east: Member;
let caller: Caller | undefined;

/**
 * The tests of an upgrade from an earlier release.
 * @param name tag or commit of that release
 * @param current two clusters without Isthmus, which have this version's image; they are left installed and joined
 */
export function upgradeTests(name: string, current: () => System): void {
  beforeAll(async () => {
    release = await buildRelease(name);
    system = current();
    await importIntoLocalBed(system.bed.id, release.image.path);
    west = system.member("west");
    east = system.member("east");
  });

  afterAll(() => release?.remove());

  it("becomes Ready from files alone, and stays as it is when they are applied again", async () => {
    await Promise.all([west, east].map(installPrevious));
    const provider = await joinFile("provider");
    await apply("west", provider);
    const [secret, consumer] = [await joinFile("secret"), await joinFile("consumer")];
    await apply("east", secret);
    await apply("east", consumer);
    await inSystem("east", "wait", "link/west", "--for=condition=Ready", WAIT);

    const before = await Promise.all([west, east].map(({ client }) => takeSettledSnapshot(client)));
    await Promise.all([west, east].map(installPrevious));
    await apply("west", provider);
    await apply("east", secret);
    await apply("east", consumer);
    const after = await Promise.all([west, east].map(({ client }) => takeSnapshot(client)));
    const changes = before.flatMap((was, index) => differences(was, after[index] ?? new Map()));
    expect(changes.filter((line) => !line.includes("events"))).toEqual([]);
  });

  // A starved machine misses three PINGs, and closes; twice in a row is no accident.
  it(
    "loses no request, and cuts no stream before its deadline, while both clusters are upgraded",
    { retry: 1 },
    async () => {
      await Promise.all([west, east].map(installPrevious));
      await untilNoneDrains([west, east]);
      await exportWeb();
      const file = await manifests("east");
      const outcome = await underLoad((load) =>
        replaceGateways([west, east], load, async () => {
          await Promise.all([
            upgradeWest("--image", system.image),
            apply("east", file).then(() => untilRolledOut(east)),
          ]);
        }),
      );
      expect(outcome).toMatchObject({ failures: [], cutEarly: [], streamsBefore: 50 });
      expect(outcome.drains).toHaveLength(4);
      expect(outcome.answered).toBeGreaterThan(0);
      const isNew = new Set([system.image]);
      expect(await Promise.all([west, east].map(gatewayImages))).toEqual([isNew, isNew]);
    },
  );

  it("carries traffic through a port of every node", async () => {
    await upgradeWest("--components", "nodeport");
    await link(system.bed, "join", "west", "--context", "east");
    const service = await west.client.get<Service>(RESOURCES.services, GATEWAY_KEY);
    expect(service.spec?.type).toBe("NodePort");
    expect(await gatewayOfLink()).toMatchObject({
      addresses: west.cluster.nodes.map(({ address }) => address),
      port: service.spec?.ports?.[0]?.nodePort,
    });
    caller = await startCaller(system, east, {
      namespace: NAMESPACE,
      name: "caller",
      target: `http://${HOST}/`,
    });
    await untilAnswered(caller, "west", Date.now());
  });

  it("carries traffic through port 15008 of the nodes that run the gateway", async () => {
    await upgradeWest("--components", "host-port", "--replicas", "1");
    await link(system.bed, "join", "west", "--context", "east");
    expect(await gatewayOfLink()).toMatchObject({
      addresses: west.cluster.nodes.map(({ address }) => address),
      port: 15008,
    });
    if (caller === undefined) throw new Error("nobody calls");
    await untilAnswered(caller, "west", Date.now());
  });
}

const GATEWAY_KEY = { namespace: INSTALL_NAMESPACE, name: GATEWAY_NAME };

/** Applies the previous release's manifests as its own `link` prints them. */
async function installPrevious(member: Member): Promise<void> {
  const { reference } = release.image;
  const args = ["install", "-o", "yaml", "--cluster-name", member.name, "--image", reference];
  await apply(member.name, await runOk([process.execPath, release.link, ...args]));
  await untilRolledOut(member);
}

/** A web server in west, exported, and a Link that bears a busy machine. */
async function exportWeb(): Promise<void> {
  const [deployment, service] = webServer({
    namespace: NAMESPACE,
    name: "web",
    cluster: "west",
    image: system.image,
  });
  if (deployment === undefined || service === undefined)
    throw new Error("a web server has two objects");
  const annotations = { [ANNOTATIONS.export]: "true" };
  const exported = { ...service, metadata: { ...service.metadata, annotations } };
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } };
  await applyObjects(west.client, [namespace, deployment, exported]);
  await applyObjects(east.client, [namespace]);
  await east.client.patch<Link>(
    RESOURCES.links,
    { namespace: INSTALL_NAMESPACE, name: "west" },
    { spec: { probe: PATIENT_PROBE } },
    { type: "merge" },
  );
}

async function underLoad<T>(action: (load: Load) => Promise<T>): Promise<T> {
  const target = { namespace: NAMESPACE, host: HOST };
  const load = await startLoad(system, east, target, { ...LOAD, rate: RATE });
  try {
    return await action(load);
  } finally {
    await load.stop();
  }
}

function manifests(cluster: string): Promise<string> {
  const args = ["install", "-o", "yaml", "--cluster-name", cluster, "--image", system.image];
  return link(system.bed, ...args);
}

async function upgradeWest(...flags: string[]): Promise<void> {
  await link(system.bed, "upgrade", "--context", "west", ...flags);
}

/** One of the files of a join of east to west. */
function joinFile(part: "provider" | "consumer" | "secret"): Promise<string> {
  return link(system.bed, "join", "west", "--context", "east", "-o", "yaml", "--show", part);
}

function apply(cluster: string, file: string): Promise<string[]> {
  return kubectlApply(system.bed, cluster, file);
}

/** Runs kubectl in Isthmus' namespace. */
function inSystem(cluster: string, ...args: string[]): Promise<string> {
  return kubectl(system.bed, ...args, "--context", cluster, "--namespace", INSTALL_NAMESPACE);
}

async function untilRolledOut({ name }: Member): Promise<void> {
  for (const deployment of [CONTROLLER_NAME, GATEWAY_NAME]) {
    await inSystem(name, "rollout", "status", `deployment/${deployment}`, WAIT);
  }
}

/** The images of a cluster's gateways as they run. */
async function gatewayImages({ name }: Member): Promise<Set<string>> {
  const selector = `${LABELS.name}=${GATEWAY_NAME}`;
  const output = "jsonpath={.items[*].spec.containers[*].image}";
  return new Set((await inSystem(name, "get", "pods", "-l", selector, "-o", output)).split(" "));
}

async function gatewayOfLink(): Promise<unknown> {
  const key = { namespace: INSTALL_NAMESPACE, name: "west" };
  return parseLinkSpec(await east.client.get<Link>(RESOURCES.links, key)).gateway;
}
