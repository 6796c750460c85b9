import { PassThrough } from "node:stream";
import { pino } from "pino";
import { Registry } from "prom-client";
import { afterAll, beforeAll } from "vitest";
import { randomBytes } from "node:crypto";
import { systemClock } from "../../../api/clock.ts";
import { documentHashOf, type JoinRequest, type JoinToken } from "../../../api/join-token.ts";
import {
  CONTROLLER_FIELD_MANAGER,
  GATEWAY_NAME,
  GATEWAY_TLS_SECRET_NAME,
  gatewayIdentity,
  IDENTITY_CONFIG_MAP_NAME,
  IDENTITY_KEYS,
} from "../../../api/names.ts";
import type { ConfigMap, Secret } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { type ClusterAccess, openCluster } from "../../../cmd/link/cluster-access.ts";
import { install } from "../../../cmd/link/install/install.ts";
import { issueToken, type IssueOptions } from "../../../cmd/link/token/issue.ts";
import { redeemToken, type RedeemOptions } from "../../../cmd/link/token/redeem.ts";
import { Gateway } from "../../../gateway/gateway.ts";
import { createKubeClient, type KubeClient } from "../../../kube/client/client.ts";
import { requestToken } from "../../../kube/client/request-token.ts";
import { configFor, eventually } from "../fixtures.ts";
import { createIdentity, type Identity } from "../gateway/identities.ts";
import { type Clusters, installOptions, recordingReporter, useClusters } from "./cli-bed.ts";
import { inSystem } from "./join-bed.ts";

/** A gateway of west as its ServiceAccount, with everything it logged. */
export interface RunningGateway {
  readonly gateway: Gateway;
  readonly client: KubeClient;
  readonly registry: Registry;
  readonly log: string[];
}

/** West and east installed, two gateways of west in this process, and who the clusters are. */
export interface TokenBed extends Clusters {
  readonly west: () => Identity;
  readonly east: () => Identity;
  readonly gateways: () => readonly [RunningGateway, RunningGateway];
}

/** Brings west and east up for a test file: west with two gateways, and no controllers. */
export function useTokenBed(): TokenBed {
  const clusters = useClusters("west", "east");
  let identities: readonly [Identity, Identity];
  let gateways: readonly [RunningGateway, RunningGateway];
  beforeAll(async () => {
    identities = [await createIdentity("west"), await createIdentity("east")];
    for (const identity of identities) {
      await withCluster(clusters, identity.name, (access) => installAs(access, identity));
    }
    gateways = await withCluster(clusters, "west", async (access) => [
      await startGateway(access),
      await startGateway(access),
    ]);
  }, 60_000);
  afterAll(async () => {
    for (const { gateway, client } of gateways) {
      await gateway.stop();
      await client.close();
    }
  });
  return {
    ...clusters,
    west: () => identities[0],
    east: () => identities[1],
    gateways: () => gateways,
  };
}

/** Outside of a test, where nothing closes the client. */
async function withCluster<T>(
  clusters: Clusters,
  name: string,
  use: (access: ClusterAccess) => Promise<T>,
): Promise<T> {
  const access = openCluster({ kubeconfig: clusters.kubeconfigPath(), context: name });
  try {
    return await use(access);
  } finally {
    await access.client.close();
  }
}

/** Installs, and does what the controller would: publishes the identity and makes the leaf. */
async function installAs(access: ClusterAccess, { name, ca, leaf }: Identity): Promise<void> {
  await install(installOptions(access));
  const identity: ConfigMap = {
    metadata: inSystem(IDENTITY_CONFIG_MAP_NAME),
    data: {
      [IDENTITY_KEYS.clusterName]: name,
      [IDENTITY_KEYS.gatewayIdentity]: gatewayIdentity(name),
      [IDENTITY_KEYS.trustBundle]: ca.certificatePem,
    },
  };
  const written = { fieldManager: CONTROLLER_FIELD_MANAGER };
  await access.client.apply(RESOURCES.configMaps, identity, written);
  const secret: Secret = {
    metadata: inSystem(GATEWAY_TLS_SECRET_NAME),
    data: {
      "tls.crt": Buffer.from(leaf.certificatePem).toString("base64"),
      "tls.key": Buffer.from(leaf.privateKeyPem).toString("base64"),
    },
  };
  await access.client.apply(RESOURCES.secrets, secret, written);
}

/** A gateway with the token and the rights of the ServiceAccount that is shipped. */
async function startGateway(access: ClusterAccess): Promise<RunningGateway> {
  const token = await requestToken(access.client, inSystem(GATEWAY_NAME), {
    lifetimeSeconds: 3600,
  });
  const { server, caPem = "" } = access;
  const client = createKubeClient(configFor({ server, caPem }, { token }));
  const registry = new Registry();
  const log: string[] = [];
  const sink = new PassThrough();
  sink.on("data", (line: Buffer) => log.push(line.toString()));
  const gateway = new Gateway({
    client,
    clusterName: "west",
    ports: { ingress: 0, health: 0 },
    host: "127.0.0.1",
    drainDelayMs: 0,
    drainDeadlineMs: 1000,
    clock: systemClock,
    random: Math.random,
    logger: pino({ level: "trace" }, sink),
    registry,
  });
  await gateway.start(new AbortController().signal);
  return { gateway, client, registry, log };
}

/** Everything of a token but where its document goes. */
export function issueOptions(bed: TokenBed, changes: Partial<IssueOptions> = {}): IssueOptions {
  const access = bed.open("west");
  return {
    access,
    consumer: "east",
    uses: 1,
    expiresMs: 60_000,
    server: access.server,
    gateway: { addresses: ["127.0.0.1"], port: bed.gateways()[0].gateway.ingressPort },
    randomBytes,
    deliver: async () => {},
    reporter: recordingReporter(),
    clock: systemClock,
    signal: new AbortController().signal,
    ...changes,
  };
}

/** Until when a gateway takes tokens, as it has logged last. */
function takesUntil({ log }: RunningGateway): string {
  const line = log.findLast((text) => text.includes("join tokens are taken"));
  return /"until":"([^"]+)"/.exec(line ?? "")?.[1] ?? "";
}

/** Issues a token at west; resolves when both gateways take tokens. */
export async function issue(
  bed: TokenBed,
  changes: Partial<IssueOptions> = {},
): Promise<JoinToken> {
  let issued: JoinToken | undefined;
  const deliver = async (token: JoinToken) => void (issued = token);
  await issueToken(issueOptions(bed, { deliver, ...changes }));
  if (issued === undefined) throw new Error("no token was delivered");
  const { expiresAt } = issued;
  await eventually(
    () => {
      const untils = bed.gateways().map(takesUntil);
      if (untils.some((until) => until < expiresAt)) throw new Error(untils.join());
    },
    { describe: "both gateways take tokens" },
  );
  return issued;
}

function redeemOptions(
  bed: TokenBed,
  token: JoinToken,
  changes: Partial<RedeemOptions> = {},
): RedeemOptions {
  return {
    access: bed.open("east"),
    token,
    wait: false,
    timeoutMs: 500,
    reporter: recordingReporter(),
    clock: systemClock,
    signal: new AbortController().signal,
    ...changes,
  };
}

export async function redeem(
  bed: TokenBed,
  token: JoinToken,
  changes: Partial<RedeemOptions> = {},
): Promise<void> {
  await redeemToken(redeemOptions(bed, token, changes));
}

/** What an honest consumer sends of a token. */
export function requestOf(bed: TokenBed, token: JoinToken): JoinRequest {
  return {
    id: token.id,
    secret: token.secret,
    consumer: token.consumer,
    documentHash: documentHashOf(token),
    identity: gatewayIdentity(token.consumer),
    trustBundle: bed.east().ca.certificatePem,
  };
}

/** Waits until garbage collection has taken the rights that a token gave. */
export async function untilRightsAreGone(bed: TokenBed, consumer = "east"): Promise<void> {
  const { client } = bed.open("west");
  await eventually(
    async () => {
      for (const resource of [RESOURCES.roles, RESOURCES.roleBindings]) {
        const found = await client.find(resource, inSystem(`isthmus-join-token-${consumer}`));
        if (found !== undefined) throw new Error(`${resource.kind} is still there`);
      }
    },
    { describe: "the token's rights are gone" },
  );
}
