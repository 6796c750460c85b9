import { Registry } from "prom-client";
import { afterAll, beforeAll } from "vitest";
import { systemClock } from "../../../api/clock.ts";
import type { Condition } from "../../../api/conditions.ts";
import type { Link, LinkSpec } from "../../../api/link.ts";
import {
  CONTROLLER_NAME,
  gatewayIdentity,
  INSTALL_NAMESPACE,
  KUBECONFIG_KEY,
  linkCredentialsSecretName,
  peerServerName,
} from "../../../api/names.ts";
import type { Secret } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import {
  IsthmusController,
  type IsthmusControllerOptions,
} from "../../../controller/controller.ts";
import { createKubeClient, type KubeClient } from "../../../kube/client/client.ts";
import { loadKubeconfig } from "../../../kube/kubeconfig/kubeconfig.ts";
import { createLogger } from "../../../kube/logger.ts";
import { type FaultProxy, startFaultProxy, type Upstream } from "../../faults/fault-proxy.ts";
import { startTcpProxy, type TcpProxy } from "../../faults/tcp-proxy.ts";
import type { Cluster } from "../../bed/bed.ts";
import { useBed } from "../../bed/vitest-bed.ts";
import { eventually } from "../fixtures.ts";
import { createIdentity, Provider } from "../gateway/two-gateways.ts";
import {
  adminOf,
  CONSUMER,
  install,
  publishIdentity,
  tokenConfig,
  tokenFor,
  type World,
} from "../link/clusters.ts";
import { consumerBundle, goodKubeconfig } from "../link/link-world.ts";
import { makeGatewayPod } from "../mirror/consumer-cluster.ts";

/** The gateway of a provider, in this process. */
export interface Gateway {
  /** Nobody listens any more. */
  stop(): void;
  start(): Promise<void>;
}

/** Names of the two providers, their Links and their clusters. */
export type Name = "west" | "north";

/** A consumer with two links under one controller; what stands before west's API server misbehaves on demand. */
export interface TwoLinks {
  /** Administrators. */
  readonly east: KubeClient;
  readonly providers: Readonly<Record<Name, KubeClient>>;
  readonly controller: IsthmusController;
  /** Of the controller. */
  readonly registry: Registry;
  /** Ends the controller and starts another in its place. */
  restart(): Promise<void>;
  /** Of the providers; what stops one lets a new one begin at the same port. */
  readonly gateways: Readonly<Record<Name, Gateway>>;
  /** In front of west's API server. */
  readonly proxy: FaultProxy;
  /** In front of the proxy: the network to west. */
  readonly network: TcpProxy;
  /** Of the consumer's API server. */
  readonly auditLogPath: string;
  /** Makes west's Link anew, which takes what happened to it before out of account, and waits until it is Ready. */
  relinkWest(): Promise<void>;
}

type Pace = Pick<IsthmusControllerOptions, "clock" | "providerTimeouts">;

/** These tests are about the API: a busy machine must not make the gateway look slow. */
const SLOW_PROBE = { timeoutSeconds: 10, periodSeconds: 2, failureThreshold: 5 };

/**
 * Brings up three control planes, the controller with its shipped rights, and both links, for the tests of this file.
 * @param probe of both Links
 * @param pace clock and patience of the controller
 */
export function useTwoLinks(
  probe: Partial<LinkSpec["probe"]> = SLOW_PROBE,
  pace: Pace = { clock: systemClock },
): () => TwoLinks {
  const bed = useBed(() => ({
    clusters: [
      { name: "west", nodes: 0 },
      { name: "north", nodes: 0 },
      { name: CONSUMER, nodes: 0, audit: true },
    ],
  }));
  const ending: (() => Promise<void> | void)[] = [];
  let links: TwoLinks | undefined;

  beforeAll(async () => {
    const consumer = bed().cluster(CONSUMER);
    const east = adminOf(consumer);
    ending.push(async () => await east.close());
    const worlds: Record<Name, World> = {
      west: await providerWorld("west"),
      north: await providerWorld("north"),
    };
    async function providerWorld(name: Name): Promise<World> {
      const provider = bed().cluster(name);
      const west = adminOf(provider);
      ending.push(async () => await west.close());
      const identity = await createIdentity(name);
      return { bed: bed(), west, east, provider, consumer, identity };
    }
    await Promise.all([east, worlds.west.west, worlds.north.west].map(install));
    for (const world of Object.values(worlds)) await publishIdentity(world);
    const { kubeconfigPath } = worlds.west.provider;
    const proxy = await startFaultProxy(upstreamOf(kubeconfigPath));
    ending.push(async () => await proxy.close());
    const network = await startTcpProxy("127.0.0.1", Number(new URL(proxy.server).port));
    ending.push(async () => await network.close());

    await makeGatewayPod(east, "gateway-a", "10.1.0.5");
    let running = await startController(consumer, east, pace);
    ending.push(async () => await running.stop());

    const throughProxy = { server: `https://127.0.0.1:${network.port}`, caPem: proxy.caPem };
    const west = { ...worlds.west, provider: { ...worlds.west.provider, ...throughProxy } };
    const [toWest, toNorth] = [await startGateway(west), await startGateway(worlds.north)];
    for (const gateway of [toWest, toNorth]) ending.push(() => gateway.stop());
    const westLink = await join(west, toWest.port, probe);
    await join(worlds.north, toNorth.port, probe);
    const providers = { west: worlds.west.west, north: worlds.north.west };
    const { auditLogPath = "" } = consumer;
    const relinkWest = async (): Promise<void> => {
      const key = { namespace: INSTALL_NAMESPACE, name: "west" };
      await east.remove(RESOURCES.links, key);
      await eventually(
        async () => {
          if ((await east.find(RESOURCES.links, key)) !== undefined) throw new Error("still there");
        },
        { describe: "the Link is gone", timeoutMs: 60_000 },
      );
      await east.create<Link>(RESOURCES.links, westLink);
      await untilSays({ east }, "west", "Ready", "True LinkReady");
    };
    links = {
      east,
      providers,
      gateways: { west: toWest, north: toNorth },
      get controller() {
        return running.controller;
      },
      get registry() {
        return running.registry;
      },
      restart: async () => {
        await running.stop();
        running = await startController(consumer, east, pace);
      },
      proxy,
      network,
      auditLogPath,
      relinkWest,
    };
    for (const name of ["west", "north"] as const) {
      await untilSays(links, name, "Ready", "True LinkReady");
    }
  });
  afterAll(async () => {
    for (const end of ending.toReversed()) await end();
  });
  return () => {
    if (links === undefined) throw new Error("the links are up only while tests run");
    return links;
  };
}

/** Waits until a condition of a Link reads like `True Synced`, and its message matches. */
export async function untilSays(
  { east }: Pick<TwoLinks, "east">,
  link: Name,
  type: Condition["type"],
  says: string,
  message = /(?:)/,
  timeoutMs = 90_000,
): Promise<Condition> {
  return await eventually(
    async () => {
      const found = (await conditionsOf(east, link)).find((condition) => condition.type === type);
      if (
        found === undefined ||
        `${found.status} ${found.reason}` !== says ||
        !message.test(found.message)
      ) {
        throw new Error(JSON.stringify(found));
      }
      return found;
    },
    { describe: `condition ${type} of ${link} says ${says}, ${String(message)}`, timeoutMs },
  );
}

export async function conditionsOf(east: KubeClient, name: Name): Promise<readonly Condition[]> {
  const { status } = await east.get<Link>(RESOURCES.links, { namespace: INSTALL_NAMESPACE, name });
  return status?.conditions ?? [];
}

/** Starts a controller of the consumer, as the ServiceAccount that is shipped. */
async function startController(
  consumer: Cluster,
  east: KubeClient,
  pace: Pace,
): Promise<Pick<TwoLinks, "controller" | "registry"> & { stop(): Promise<void> }> {
  const client = createKubeClient(tokenConfig(consumer, await tokenFor(east, CONTROLLER_NAME)));
  const registry = new Registry();
  const controller = new IsthmusController({
    client,
    clusterName: CONSUMER,
    replica: "controller-0",
    health: { port: 0, host: "127.0.0.1" },
    ...pace,
    // Long enough by a hurried clock, too.
    lease: { leaseDurationMs: 60_000, renewDeadlineMs: 40_000, retryPeriodMs: 2_000 },
    random: Math.random,
    logger: createLogger({ name: "test", level: process.env["TEST_LOG_LEVEL"] ?? "silent" }),
    registry,
    onLeadershipLost: () => {},
  });
  await controller.start(new AbortController().signal);
  const stop = async (): Promise<void> => {
    await controller.stop();
    await client.close();
  };
  return { controller, registry, stop };
}

/** Starts the gateway of a provider, which trusts the consumer. */
async function startGateway(world: World): Promise<Gateway & { readonly port: number }> {
  const bundlePem = await consumerBundle(world);
  const begin = async (port: number): Promise<Provider> => {
    const gateway = new Provider(world.identity, { port });
    const serverName = peerServerName(CONSUMER);
    gateway.ingress.setPeers([
      { name: CONSUMER, serverName, bundlePem, identity: gatewayIdentity(CONSUMER) },
    ]);
    await gateway.ingress.start();
    return gateway;
  };
  let gateway = await begin(0);
  const { port } = gateway;
  return {
    port,
    stop: () => gateway.ingress.destroy(),
    start: async () => {
      gateway = await begin(port);
    },
  };
}

/** Makes the Link to a provider; returns it. */
async function join(world: World, port: number, probe: Partial<LinkSpec["probe"]>): Promise<Link> {
  const { east, identity } = world;
  const { name } = identity;
  const secret = { namespace: INSTALL_NAMESPACE, name: linkCredentialsSecretName(name) };
  const kubeconfig = await goodKubeconfig(world);
  await east.create<Secret>(RESOURCES.secrets, {
    metadata: secret,
    data: { [KUBECONFIG_KEY]: Buffer.from(kubeconfig).toString("base64") },
  });
  const link: Link = {
    metadata: { namespace: INSTALL_NAMESPACE, name },
    spec: {
      credentialsSecretRef: { name: secret.name },
      gateway: {
        identity: gatewayIdentity(name),
        addresses: ["127.0.0.1"],
        port,
      },
      trustBundle: identity.ca.certificatePem,
      probe,
    },
  };
  await east.create<Link>(RESOURCES.links, link);
  return link;
}

function upstreamOf(kubeconfigPath: string): Upstream {
  const config = loadKubeconfig({ path: kubeconfigPath });
  const cluster = config.getCurrentCluster();
  const user = config.getCurrentUser();
  return {
    server: cluster?.server ?? "",
    caPem: decode(cluster?.caData),
    certPem: decode(user?.certData),
    keyPem: decode(user?.keyData),
  };
}

function decode(text = ""): string {
  return Buffer.from(text, "base64").toString("utf8");
}
