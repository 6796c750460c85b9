import { Registry } from "prom-client";
import { onTestFinished } from "vitest";
import { type Clock, systemClock } from "../../../api/clock.ts";
import type { Condition, ConditionType } from "../../../api/conditions.ts";
import type { Link } from "../../../api/link.ts";
import {
  CONTROLLER_NAME,
  gatewayIdentity,
  IDENTITY_CONFIG_MAP_NAME,
  IDENTITY_KEYS,
  INSTALL_NAMESPACE,
  KUBECONFIG_KEY,
  linkCredentialsSecretName,
  peerServerName,
} from "../../../api/names.ts";
import type { ConfigMap, Secret } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { linkKubeconfig } from "../../../cmd/link/join/consumer-objects.ts";
import { IsthmusController } from "../../../controller/controller.ts";
import type { ProviderTimeouts } from "../../../controller/link/remote-session/remote-session.ts";
import { createKubeClient, type KubeClient } from "../../../kube/client/client.ts";
import type { KubeEvent } from "../../../kube/events.ts";
import { createLogger, type Logger } from "../../../kube/logger.ts";
import { eventually } from "../fixtures.ts";
import { HURRY } from "../hurried-clock.ts";
import { Provider } from "../gateway/two-gateways.ts";
import {
  admitConsumer,
  CONSUMER,
  linkToken,
  PROVIDER,
  tokenConfig,
  tokenFor,
  type World,
} from "./clusters.ts";

export const LINK_KEY = { namespace: INSTALL_NAMESPACE, name: PROVIDER };
export const SECRET_KEY = {
  namespace: INSTALL_NAMESPACE,
  name: linkCredentialsSecretName(PROVIDER),
};
/**
 * What these tests tell apart is refused or answered; a busy machine only answers late. How many probes it takes is for
 * the test of the default.
 */
const ONE_PROBE_TELLS = { timeoutSeconds: 5, failureThreshold: 1, successThreshold: 1 };
/** Long enough by a hurried clock, too. */
const LEASE = { leaseDurationMs: 9000 * HURRY, renewDeadlineMs: 7000 * HURRY, retryPeriodMs: 250 };

/** Ended last, however late in the test one was started: what a test made is removed by them. */
const running = new Map<IsthmusController, KubeClient>();

async function stopAll(): Promise<void> {
  for (const [controller, client] of running) {
    await controller.stop();
    await client.close();
  }
  running.clear();
}

/** Where an API server is reached: it itself, or a proxy in front of it. */
export interface Endpoint {
  readonly server: string;
  readonly caPem: string;
}

export interface ControllerSettings {
  clock?: Clock;
  logger?: Logger;
  /** Where it reaches its own cluster. */
  at?: Endpoint;
  /** Overlap of a rotation of its CA, in ms. */
  caOverlapMs?: number;
  providerTimeouts?: ProviderTimeouts;
}

/** A controller of the consumer, as the ServiceAccount and with the rights that are shipped. */
export async function startController(
  { east, consumer }: World,
  replica = "controller-0",
  settings: ControllerSettings = {},
): Promise<IsthmusController & { readonly lost: Promise<void>; readonly registry: Registry }> {
  const token = await tokenFor(east, CONTROLLER_NAME);
  const client = createKubeClient(tokenConfig(settings.at ?? consumer, token));
  const lost = Promise.withResolvers<void>();
  const registry = new Registry();
  const controller = new IsthmusController({
    client,
    clusterName: CONSUMER,
    replica,
    health: { port: 0, host: "127.0.0.1" },
    lease: LEASE,
    clock: settings.clock ?? systemClock,
    ...(settings.providerTimeouts && { providerTimeouts: settings.providerTimeouts }),
    ...(settings.caOverlapMs !== undefined && { caOverlapMs: settings.caOverlapMs }),
    random: Math.random,
    logger:
      settings.logger ??
      createLogger({ name: replica, level: process.env["TEST_LOG_LEVEL"] ?? "silent" }),
    registry,
    onLeadershipLost: lost.resolve,
  });
  if (running.size === 0) onTestFinished(stopAll);
  running.set(controller, client);
  await controller.start(new AbortController().signal);
  return Object.assign(controller, { lost: lost.promise, registry });
}

/** The consumer's published bundle, once its controller has made it. */
export async function consumerBundle({ east }: World): Promise<string> {
  return await eventually(
    async () => {
      const key = { namespace: INSTALL_NAMESPACE, name: IDENTITY_CONFIG_MAP_NAME };
      const { data } = await east.get<ConfigMap>(RESOURCES.configMaps, key);
      const bundle = data?.[IDENTITY_KEYS.trustBundle];
      if (bundle === undefined) throw new Error("nothing is published");
      return bundle;
    },
    { describe: "the consumer publishes its trust bundle" },
  );
}

/** The provider's gateway on loopback, trusting the consumer; ended with the test. */
export async function startGateway(world: World, port = 0): Promise<Provider> {
  const bundlePem = await consumerBundle(world);
  const gateway = new Provider(world.identity, { port });
  onTestFinished(() => gateway.ingress.destroy());
  gateway.ingress.setPeers([
    {
      name: CONSUMER,
      serverName: peerServerName(CONSUMER),
      bundlePem,
      identity: gatewayIdentity(CONSUMER),
    },
  ]);
  await gateway.ingress.start();
  return gateway;
}

/** A kubeconfig for the provider, as `link join` writes it; `at` names a proxy in front of it. */
export async function goodKubeconfig(
  world: World,
  expirationSeconds?: number,
  at: Endpoint = world.provider,
): Promise<string> {
  await admitConsumer(world, await consumerBundle(world));
  const { server, caPem } = at;
  const token = await linkToken(world, expirationSeconds);
  return linkKubeconfig(PROVIDER, { server, caPem, tlsServerName: undefined }, token);
}

/** Writes the credentials Secret, whatever it was before. */
export async function putCredentials(
  { east }: World,
  kubeconfig: string,
  key = KUBECONFIG_KEY,
): Promise<void> {
  await east.remove(RESOURCES.secrets, SECRET_KEY);
  await east.create<Secret>(RESOURCES.secrets, {
    metadata: SECRET_KEY,
    data: { [key]: Buffer.from(kubeconfig).toString("base64") },
  });
}

/** Makes the Link to a gateway at this port of loopback; it and its Secret go with the test. */
export async function putLink(
  { east, identity }: World,
  gateway: { port?: number; addresses?: string[] },
  spec: Record<string, unknown> = {},
): Promise<void> {
  onTestFinished(async () => {
    await east.remove(RESOURCES.links, LINK_KEY);
    await east.remove(RESOURCES.secrets, SECRET_KEY);
    await eventually(
      async () => {
        if ((await east.find(RESOURCES.links, LINK_KEY)) !== undefined)
          throw new Error("still there");
      },
      { describe: "the Link is gone" },
    );
  });
  await east.apply<Link>(
    RESOURCES.links,
    {
      metadata: LINK_KEY,
      spec: {
        credentialsSecretRef: { name: SECRET_KEY.name },
        gateway: { identity: gatewayIdentity(PROVIDER), ...gateway },
        trustBundle: identity.ca.certificatePem,
        probe: ONE_PROBE_TELLS,
        ...spec,
      },
    },
    { fieldManager: "test", force: true },
  );
}

/** A link that is Ready: controller, gateway, credentials, Link. */
export async function readyLink(
  world: World,
  spec: Record<string, unknown> = {},
  { providerAt, ...settings }: ControllerSettings & { providerAt?: Endpoint } = {},
): Promise<{ gateway: Provider; controller: Awaited<ReturnType<typeof startController>> }> {
  const controller = await startController(world, "controller-0", settings);
  const gateway = await startGateway(world);
  await putCredentials(world, await goodKubeconfig(world, undefined, providerAt));
  await putLink(world, { addresses: ["127.0.0.1"], port: gateway.port }, spec);
  await untilCondition(world, "Ready", "True LinkReady");
  return { gateway, controller };
}

export async function getLink({ east }: World): Promise<Link> {
  return await east.get<Link>(RESOURCES.links, LINK_KEY);
}

/** Waits until a condition reads like `False SecretNotFound`; returns it. */
export async function untilCondition(
  world: World,
  type: ConditionType,
  says: string,
  timeoutMs = 45_000,
): Promise<Condition> {
  return await eventually(
    async () => {
      const { status } = await getLink(world);
      const conditions = status?.conditions ?? [];
      const found = conditions.find((condition) => condition.type === type);
      if (found === undefined || `${found.status} ${found.reason}` !== says) {
        throw new Error(
          conditions.map((c) => `${c.type} ${c.status} ${c.reason}: ${c.message}`).join("; "),
        );
      }
      return found;
    },
    { describe: `condition ${type} says ${says}`, timeoutMs },
  );
}

/** Waits until a condition refuses the link, Ready is False and an Event tells why; returns the message. */
export async function untilRefused(
  world: World,
  type: ConditionType,
  reason: string,
): Promise<string> {
  const { message } = await untilCondition(world, type, `False ${reason}`);
  await eventually(
    async () => {
      if ((await readyStatus(world)) !== "False") throw new Error("Ready");
      if ((await linkEvents(world, reason)).length === 0) throw new Error(`no Event ${reason}`);
    },
    { describe: `the link is closed, with an Event ${reason}` },
  );
  return message;
}

/** Waits until the link is Ready; returns the reason. */
export async function untilReady(world: World, timeoutMs?: number): Promise<string> {
  return (await untilCondition(world, "Ready", "True LinkReady", timeoutMs)).reason;
}

/** Status of the condition Ready at this moment. */
export async function readyStatus(world: World): Promise<string | undefined> {
  const { status } = await getLink(world);
  return status?.conditions?.find(({ type }) => type === "Ready")?.status;
}

/** Events about the Link with a reason. */
export async function linkEvents({ east }: World, reason: string): Promise<KubeEvent[]> {
  const { items } = await east.list<KubeEvent>(RESOURCES.events, { namespace: INSTALL_NAMESPACE });
  return items.filter((event) => event.reason === reason && event.regarding?.kind === "Link");
}
