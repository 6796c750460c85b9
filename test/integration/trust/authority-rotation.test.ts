import { expect, onTestFinished, test } from "vitest";
import {
  CA_ROTATION_ANNOTATIONS,
  CA_SECRET_NAME,
  GATEWAY_TLS_SECRET_NAME,
  gatewayIdentity,
  IDENTITY_CONFIG_MAP_NAME,
  IDENTITY_KEYS,
  INSTALL_NAMESPACE,
} from "../../../api/names.ts";
import type { Secret } from "../../../api/objects.ts";
import { type Peer, parsePeerSpec } from "../../../api/peer.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { openCluster } from "../../../cmd/link/cluster-access.ts";
import {
  abortRotation,
  rotateAuthority,
  type RotationGoal,
} from "../../../cmd/link/rotate/rotate.ts";
import { silentReporter } from "../../../cmd/link/reporter.ts";
import { tlsData } from "../../../controller/identity/own-secrets.ts";
import type { KubeEvent } from "../../../kube/events.ts";
import { isVouchedFor, parseBundle } from "../../../pki/certificate.ts";
import { sameBundle } from "../../../pki/trust.ts";
import { eventually } from "../fixtures.ts";
import { HURRIED, hurriedClock } from "../hurried-clock.ts";
import { CONSUMER, useWorld } from "../link/clusters.ts";
import {
  consumerBundle,
  goodKubeconfig,
  putCredentials,
  putLink,
  startController,
  startGateway,
  untilCondition,
  untilReady,
} from "../link/link-world.ts";

const world = useWorld();
const inSystem = (name: string) => ({ namespace: INSTALL_NAMESPACE, name });

async function startRotating(caOverlapMs: number, replica = "controller-0") {
  return await startController(world(), replica, { caOverlapMs, ...HURRIED });
}

/** A Ready link of a consumer whose CA is rotated with this overlap. */
async function rotatingLink(caOverlapMs: number) {
  const controller = await startRotating(caOverlapMs);
  const gateway = await startGateway(world());
  await putCredentials(world(), await goodKubeconfig(world()));
  await putLink(world(), { addresses: ["127.0.0.1"], port: gateway.port });
  await untilReady(world());
  return controller;
}

function rotateOptions(cluster = world().consumer) {
  const { kubeconfigPath, name } = cluster;
  const access = openCluster({ kubeconfig: kubeconfigPath, context: name });
  onTestFinished(async () => await access.client.close());
  const { signal } = new AbortController();
  return { access, timeoutMs: 160_000, reporter: silentReporter, clock: hurriedClock, signal };
}

async function rotate(until: RotationGoal): Promise<void> {
  await rotateAuthority({ ...rotateOptions(), until });
}

async function caSecret(): Promise<Secret> {
  return await world().east.get<Secret>(RESOURCES.secrets, inSystem(CA_SECRET_NAME));
}

async function certificateOf(secretName: string): Promise<string> {
  const { data = {} } = await world().east.get<Secret>(RESOURCES.secrets, inSystem(secretName));
  return Buffer.from(data["tls.crt"] ?? "", "base64").toString();
}

async function peerBundle(): Promise<string> {
  const peer = await world().west.get<Peer>(RESOURCES.peers, inSystem(CONSUMER));
  return parsePeerSpec(peer).trustBundle;
}

async function recorded(): Promise<string> {
  const { annotations = {} } = (await caSecret()).metadata;
  return annotations[CA_ROTATION_ANNOTATIONS.progress] ?? "none";
}

async function untilPhase(phase: string): Promise<void> {
  await eventually(
    async () => {
      const record = await recorded();
      if (!record.includes(`"phase":"${phase}"`)) throw new Error(record);
    },
    { describe: `the rotation is ${phase}` },
  );
}

async function authorityEvents(reason: string): Promise<KubeEvent[]> {
  const { items } = await world().east.list<KubeEvent>(RESOURCES.events, {
    namespace: INSTALL_NAMESPACE,
  });
  return items.filter(
    (event) => event.reason === reason && event.regarding?.name === CA_SECRET_NAME,
  );
}

/** The new CA signs the leaf, and is all that is published and that the provider trusts. */
async function untilOnlyNew(oldCa: string): Promise<void> {
  const newCa = await certificateOf(CA_SECRET_NAME);
  expect(sameBundle(newCa, oldCa)).toBe(false);
  const leaf = await certificateOf(GATEWAY_TLS_SECRET_NAME);
  const identity = gatewayIdentity(CONSUMER);
  expect(isVouchedFor({ certificatePem: leaf, bundlePem: newCa, identity })).toBe(true);
  await eventually(
    async () => {
      const bundles = [await consumerBundle(world()), await peerBundle()];
      expect(bundles.map((bundle) => sameBundle(bundle, newCa))).toEqual([true, true]);
    },
    { describe: "only the new CA is published and trusted" },
  );
}

test("a rotation ends with the new CA alone, and at no time does the provider not trust the leaf", async () => {
  const controller = await rotatingLink(1500);
  const oldCa = await certificateOf(CA_SECRET_NAME);
  await rotate("announced");
  expect(parseBundle(await consumerBundle(world()))).toHaveLength(2);
  expect(await controller.registry.metrics()).toMatch(
    /isthmus_certificate_expiry_timestamp_seconds\{certificate="authority-next"\} \d+/,
  );

  const ending = rotate("finished");
  const ended = new AbortController();
  void ending.finally(() => ended.abort()).catch(() => undefined);
  const identity = gatewayIdentity(CONSUMER);
  const untrusted: string[] = [];
  while (!ended.signal.aborted) {
    const certificatePem = await certificateOf(GATEWAY_TLS_SECRET_NAME);
    const bundlePem = await peerBundle();
    if (!isVouchedFor({ certificatePem, bundlePem, identity })) untrusted.push(certificatePem);
  }
  await ending;
  expect(untrusted).toEqual([]);
  await untilOnlyNew(oldCa);
  await eventually(
    async () => {
      const counts = await Promise.all(
        ["AuthorityRotating", "AuthorityRotated"].map(authorityEvents),
      );
      expect(counts.map((events) => events.length > 0)).toEqual([true, true]);
    },
    { describe: "Events tell of it" },
  );
  const { annotations = {} } = (await caSecret()).metadata;
  const { requested, finished } = CA_ROTATION_ANNOTATIONS;
  expect(annotations[finished]).toBe(annotations[requested]);
});

test("a rotation goes on under the next leader, whatever the phase it was left in", async () => {
  let controller = await rotatingLink(1500);
  const oldCa = await certificateOf(CA_SECRET_NAME);
  await rotate("announced");
  await controller.stop();
  controller = await startRotating(1500, "controller-1");
  await untilPhase("switched");
  await controller.stop();
  expect(parseBundle(await consumerBundle(world()))).toHaveLength(2);
  await startRotating(1500, "controller-2");
  await rotate("finished");
  await untilOnlyNew(oldCa);
});

test("a provider that cannot be reached is named, and holds a rotation up only so long", async () => {
  await rotatingLink(200);
  const oldCa = await certificateOf(CA_SECRET_NAME);
  const apiServer = world().provider.process("kube-apiserver");
  apiServer.pause();
  try {
    await rotate("announced");
    await eventually(
      async () => {
        const notes = (await authorityEvents("AuthorityRotationWaiting")).map(({ note }) => note);
        expect(notes.join()).toContain("Links west are not known to trust it");
      },
      { describe: "an Event names the Link" },
    );
    expect(await certificateOf(CA_SECRET_NAME)).toBe(oldCa);
    await rotate("finished");
  } finally {
    apiServer.resume();
  }
  await untilCondition(world(), "ApiReachable", "True Synced");
  await untilOnlyNew(oldCa);
});

test("a wait begins anew when the announced bundle was overwritten meanwhile", async () => {
  await rotatingLink(8000);
  const oldCa = await certificateOf(CA_SECRET_NAME);
  await rotate("announced");
  await expect.poll(recorded, { timeout: 10_000 }).toMatch(/"waitedSeconds":[2-9]/);
  const published = inSystem(IDENTITY_CONFIG_MAP_NAME);
  const data = { [IDENTITY_KEYS.trustBundle]: oldCa };
  await world().east.patch(RESOURCES.configMaps, published, { data }, { type: "merge" });
  await expect.poll(recorded, { timeout: 10_000 }).toContain('"waitedSeconds":0,');
  await eventually(async () => expect(parseBundle(await consumerBundle(world()))).toHaveLength(2), {
    describe: "the bundle is put right",
  });
  expect(await certificateOf(CA_SECRET_NAME)).toBe(oldCa);
  await abortRotation(rotateOptions());
});

test("a rotation that is taken back before the switch leaves the CA as it was", async () => {
  await rotatingLink(60_000);
  const oldCa = await certificateOf(CA_SECRET_NAME);
  await rotate("announced");
  await abortRotation(rotateOptions());
  await eventually(
    async () => expect(sameBundle(await consumerBundle(world()), oldCa)).toBe(true),
    { describe: "only the old CA is published" },
  );
  expect(await certificateOf(CA_SECRET_NAME)).toBe(oldCa);
  expect((await caSecret()).data).not.toHaveProperty("next.key");
});

test("a CA that is not there, or that Isthmus did not make, is not rotated, and the command says what to do", async () => {
  const atProvider = rotateOptions(world().provider);
  const rotation = rotateAuthority({ ...atProvider, until: "announced" });
  await expect(rotation).rejects.toThrow("isthmus-system/isthmus-ca does not exist");
  const { certificatePem, privateKeyPem } = world().identity.ca;
  const data = tlsData({ certificatePem, privateKeyPem }, certificatePem);
  const foreign = { metadata: inSystem(CA_SECRET_NAME), type: "kubernetes.io/tls", data };
  await world().west.create<Secret>(RESOURCES.secrets, foreign);
  onTestFinished(async () => await world().west.remove(RESOURCES.secrets, foreign.metadata));
  for (const attempt of [
    rotateAuthority({ ...atProvider, until: "announced" }),
    abortRotation(atProvider),
  ]) {
    await expect(attempt).rejects.toThrow("was not made by Isthmus");
  }
});
