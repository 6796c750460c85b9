import { expect, test } from "vitest";
import { parseLinkSpec } from "../../../api/link.ts";
import {
  CA_SECRET_NAME,
  gatewayIdentity,
  INSTALL_NAMESPACE,
  linkServiceAccountName,
} from "../../../api/names.ts";
import type { KubeObject, Secret } from "../../../api/objects.ts";
import { parsePeerSpec, type Peer } from "../../../api/peer.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { issueLeaf } from "../../../pki/authority.ts";
import { mergeBundles, sameBundle } from "../../../pki/trust.ts";
import { eventually } from "../fixtures.ts";
import { HURRIED } from "../hurried-clock.ts";
import { createIdentity } from "../gateway/two-gateways.ts";
import { admitConsumer, CONSUMER, PROVIDER, publishIdentity, useWorld } from "../link/clusters.ts";
import {
  consumerBundle,
  getLink,
  goodKubeconfig,
  linkEvents,
  putCredentials,
  putLink,
  readyLink,
  readyStatus,
  SECRET_KEY,
  startController,
  startGateway,
  untilReady,
  untilRefused,
} from "../link/link-world.ts";

const world = useWorld();

function expectSameBundle(actual: string, expected: string): void {
  if (!sameBundle(actual, expected)) throw new Error("the bundles differ");
}

test("a CA that the provider adds to its bundle is added to the Link, which stays Ready", async () => {
  await readyLink(world(), {}, HURRIED);
  const { ca: next } = await createIdentity(PROVIDER);
  const bundle = mergeBundles([world().identity.ca.certificatePem, next.certificatePem]);
  await publishIdentity(world(), bundle);
  await eventually(
    async () => expectSameBundle(parseLinkSpec(await getLink(world())).trustBundle, bundle),
    { describe: "the Link has the provider's new bundle", timeoutMs: 40_000 },
  );
  expect(await readyStatus(world())).toBe("True");
  await publishIdentity(world());
});

test("a CA added to this cluster's bundle reaches the provider's Peer for it", async () => {
  await readyLink(world(), {}, HURRIED);
  const { ca: next } = await createIdentity(CONSUMER);
  const bundle = mergeBundles([await consumerBundle(world()), next.certificatePem]);
  await world().east.patch<Secret>(
    RESOURCES.secrets,
    { namespace: INSTALL_NAMESPACE, name: CA_SECRET_NAME },
    { data: { "ca.crt": Buffer.from(bundle).toString("base64") } },
    { type: "merge" },
  );
  await eventually(
    async () => {
      const key = { namespace: INSTALL_NAMESPACE, name: CONSUMER };
      const peer = await world().west.get<Peer>(RESOURCES.peers, key);
      expectSameBundle(parsePeerSpec(peer).trustBundle, bundle);
    },
    { describe: "the Peer has this cluster's new bundle", timeoutMs: 40_000 },
  );
  expect(sameBundle(await consumerBundle(world()), bundle)).toBe(true);
});

const DAY_MS = 86_400_000;

test.each([
  {
    name: "has expired",
    reason: "GatewayCertificateExpired",
    offsetMs: -2 * DAY_MS,
    says: "expired at",
    bound: DAY_MS,
  },
  {
    name: "is not valid yet",
    reason: "GatewayCertificateNotYetValid",
    offsetMs: DAY_MS,
    says: "not valid before",
    bound: -15 * 60_000,
  },
])(
  "a gateway whose certificate $name is refused with its time, and used once it has a good one",
  async ({ reason, offsetMs, says, bound }) => {
    const { ca, leaf } = world().identity;
    const nowMs = Date.now() + offsetMs;
    const bad = await issueLeaf(ca, { identity: gatewayIdentity(PROVIDER), nowMs });
    await startController(world(), "controller-0", HURRIED);
    const gateway = await startGateway(world());
    gateway.ingress.setLeaf(bad);
    await putCredentials(world(), await goodKubeconfig(world()));
    await putLink(world(), { addresses: ["127.0.0.1"], port: gateway.port });

    const message = await untilRefused(world(), "TrustValid", reason);
    const at = new Date(Math.floor((nowMs + bound) / 1000) * 1000).toISOString();
    expect(message).toContain(`${says} ${at}`);

    gateway.ingress.setLeaf(leaf);
    expect(await untilReady(world())).toBe("LinkReady");
  },
);

type Role = KubeObject & { rules?: { resources?: string[] }[] };

/** Takes the right to renew its token from the link's account. */
async function forbidRenewal(): Promise<void> {
  const key = { namespace: INSTALL_NAMESPACE, name: linkServiceAccountName(CONSUMER) };
  const { rules = [] } = await world().west.get<Role>(RESOURCES.roles, key);
  const rest = rules.filter(({ resources = [] }) => !resources.includes("serviceaccounts/token"));
  expect(rest.length).toBeLessThan(rules.length);
  await world().west.patch(RESOURCES.roles, key, { rules: rest }, { type: "merge" });
}

async function allowRenewal(): Promise<void> {
  await admitConsumer(world(), await consumerBundle(world()));
}

async function writtenKubeconfig(): Promise<string> {
  const { data = {} } = await world().east.get<Secret>(RESOURCES.secrets, SECRET_KEY);
  return Buffer.from(data["kubeconfig"] ?? "", "base64").toString();
}

/** A Ready link with a token of the shortest life, due at once, which the provider refuses to renew. */
async function linkRefusedRenewal() {
  const controller = await startController(world(), "controller-0", HURRIED);
  const gateway = await startGateway(world());
  const kubeconfig = await goodKubeconfig(world(), 600);
  await forbidRenewal();
  const failed = async () => {
    const metrics = await controller.registry.metrics();
    return /renewals_total\{link="west",result="failed"\} (\d+)/.exec(metrics)?.[1] ?? "0";
  };
  const before = (await linkEvents(world(), "TokenRenewalFailed")).length;
  await putCredentials(world(), kubeconfig);
  await putLink(world(), { addresses: ["127.0.0.1"], port: gateway.port });
  await untilReady(world());
  await eventually(
    async () => {
      expect(Number(await failed())).toBeGreaterThan(0);
      expect((await linkEvents(world(), "TokenRenewalFailed")).length).toBeGreaterThan(before);
    },
    { describe: "a failed renewal is counted and told" },
  );
  return { kubeconfig, controller };
}

test("a renewal that the provider refuses is told, counted, and tried again until it succeeds", async () => {
  const { kubeconfig } = await linkRefusedRenewal();
  expect(await untilReady(world())).toBe("LinkReady");
  expect(await writtenKubeconfig()).toBe(kubeconfig);
  await allowRenewal();
  await eventually(
    async () => {
      if ((await writtenKubeconfig()) === kubeconfig) throw new Error("still the old token");
    },
    { describe: "the token is renewed", timeoutMs: 40_000 },
  );
  expect(await untilReady(world())).toBe("LinkReady");
});

test("credentials written by hand while a token cannot be renewed stay as they were written", async () => {
  const { controller } = await linkRefusedRenewal();
  const byHand = await goodKubeconfig(world(), 3600);
  await world().east.patch<Secret>(
    RESOURCES.secrets,
    SECRET_KEY,
    { data: { kubeconfig: Buffer.from(byHand).toString("base64") } },
    { type: "merge" },
  );
  await eventually(
    async () => {
      const metrics = await controller.registry.metrics();
      const lists = /reflector_lists_total\{reflector="west\/services"[^}]*\} (\d+)/.exec(metrics);
      expect(Number(lists?.[1])).toBeGreaterThan(1);
    },
    { describe: "the provider is listed with what was written" },
  );
  expect(await writtenKubeconfig()).toBe(byHand);
  expect(await untilReady(world())).toBe("LinkReady");
});
