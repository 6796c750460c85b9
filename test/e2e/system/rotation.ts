import { afterAll, beforeAll, expect, it } from "vitest";
import {
  CA_SECRET_NAME,
  GATEWAY_TLS_SECRET_NAME,
  gatewayIdentity,
  IDENTITY_CONFIG_MAP_NAME,
  IDENTITY_KEYS,
  INSTALL_NAMESPACE,
  KUBECONFIG_KEY,
  linkCredentialsSecretName,
  linkServiceAccountName,
} from "../../../api/names.ts";
import { type Link, parseLinkSpec } from "../../../api/link.ts";
import type { ConfigMap, Secret, Service } from "../../../api/objects.ts";
import { type Peer, parsePeerSpec } from "../../../api/peer.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { withToken } from "../../../controller/link/credentials/token.ts";
import { issueLeaf } from "../../../pki/authority.ts";
import { isVouchedFor, parseBundle, parseCertificate } from "../../../pki/certificate.ts";
import { sameBundle } from "../../../pki/trust.ts";
import { poll } from "../../bed/poll.ts";
import { untilAnswered, untilSteady } from "../../system/journey.ts";
import { link } from "../../system/link-command.ts";
import { createNamespaces, type Member, startCaller, type System } from "../../system/system.ts";
import { applyObjects } from "../../workload/apply-objects.ts";
import { type Caller, outcomeOf } from "../../workload/caller.ts";
import { webServer } from "../../workload/web-server.ts";
import type { World } from "./world.ts";

const SETTLE = { timeoutMs: 90_000 };
const CREDENTIAL_ROTATIONS = 20;
/** Answers in a row after which a state counts as steady: a second of them. */
const STEADY = 50;
const NAMESPACE = "shop";
/** A busy machine must not look like a gateway that is gone: here only what is rotated may matter. */
const PATIENT_PROBE = { timeoutSeconds: 5, failureThreshold: 10 };
const ROTATION_TIMEOUT = ["--timeout", "150s"];
const ROTATION_LABEL = "example.com/rotation";

let system: System;
let west: Member;
let east: Member;
let caller: Caller;

/** Runs `action` while the caller calls, waits until all is steady, and returns every attempt that was not answered by west. */
async function failuresDuring(action: () => Promise<void>): Promise<string[]> {
  await untilSteady(caller, "west", STEADY);
  const from = caller.attempts.length;
  await action();
  await untilSteady(caller, "west", STEADY);
  return caller.attempts
    .slice(from)
    .filter(({ status, body }) => status !== 200 || body?.trim() !== "hello from west")
    .map((attempt) => `${new Date(attempt.atMs).toISOString()} ${outcomeOf(attempt)}`);
}

async function readSecret({ client }: Member, name: string): Promise<Record<string, string>> {
  const key = { namespace: INSTALL_NAMESPACE, name };
  const { data = {} } = await client.get<Secret>(RESOURCES.secrets, key);
  const entries = Object.entries(data).map(([field, value]) => [field, decode(value)]);
  return Object.fromEntries(entries);
}

async function patchSecret(
  { client }: Member,
  name: string,
  data: Record<string, string>,
): Promise<void> {
  const key = { namespace: INSTALL_NAMESPACE, name };
  const encoded = Object.entries(data).map(([field, value]) => [field, encode(value)]);
  const patch = { data: Object.fromEntries(encoded) };
  await client.patch(RESOURCES.secrets, key, patch, { type: "merge" });
}

function decode(text: string): string {
  return Buffer.from(text, "base64").toString("utf8");
}

function encode(text: string): string {
  return Buffer.from(text).toString("base64");
}

/** A new token of the link's account, written into the credentials by hand. */
async function replaceToken(): Promise<void> {
  const account = linkServiceAccountName("east");
  const { status } = await west.client.request<{ status: { token: string } }>({
    method: "POST",
    path: `/api/v1/namespaces/${INSTALL_NAMESPACE}/serviceaccounts/${account}/token`,
    body: {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: { expirationSeconds: 3600 },
    },
  });
  const name = linkCredentialsSecretName("west");
  const { [KUBECONFIG_KEY]: text = "" } = await readSecret(east, name);
  await patchSecret(east, name, { [KUBECONFIG_KEY]: withToken(text, status.token) ?? "" });
}

/** Changes the Service in west and waits until its mirror in east has changed. */
async function changeAndSeeIt(value: string): Promise<void> {
  const labels = { [ROTATION_LABEL]: value };
  const web = { namespace: NAMESPACE, name: "web" };
  await west.client.patch(RESOURCES.services, web, { metadata: { labels } }, { type: "merge" });
  await poll(
    `the mirror has the label ${value}`,
    async () => {
      const mirror = { namespace: NAMESPACE, name: "web-west" };
      const { metadata } = await east.client.get<Service>(RESOURCES.services, mirror);
      return metadata.labels?.[ROTATION_LABEL] === value;
    },
    SETTLE,
  );
}

async function publishedBundle({ client }: Member): Promise<string> {
  const key = { namespace: INSTALL_NAMESPACE, name: IDENTITY_CONFIG_MAP_NAME };
  const { data = {} } = await client.get<ConfigMap>(RESOURCES.configMaps, key);
  return data[IDENTITY_KEYS.trustBundle] ?? "";
}

/** What the other side trusts of a cluster: the Link's bundle of west, the Peer's of east. */
async function trustedBundle(cluster: string): Promise<string> {
  const key = { namespace: INSTALL_NAMESPACE, name: cluster };
  if (cluster === "west") {
    return parseLinkSpec(await east.client.get<Link>(RESOURCES.links, key)).trustBundle;
  }
  return parsePeerSpec(await west.client.get<Peer>(RESOURCES.peers, key)).trustBundle;
}

/** Gives a cluster's gateways a certificate that ends soon; resolves when it has ended, and another one was issued. */
async function letLeafExpire(member: Member): Promise<void> {
  const ca = await readSecret(member, CA_SECRET_NAME);
  const authority = { certificatePem: ca["tls.crt"] ?? "", privateKeyPem: ca["tls.key"] ?? "" };
  const short = await issueLeaf(authority, {
    identity: gatewayIdentity(member.name),
    nowMs: Date.now(),
    lifetimeMs: 12_000,
  });
  await patchSecret(member, GATEWAY_TLS_SECRET_NAME, {
    "tls.crt": short.certificatePem,
    "tls.key": short.privateKeyPem,
  });
  await poll(
    "another certificate is issued",
    async () => {
      const { "tls.crt": issued = "" } = await readSecret(member, GATEWAY_TLS_SECRET_NAME);
      const { notAfterMs } = parseCertificate(issued);
      return notAfterMs > Date.now() + 3_600_000;
    },
    SETTLE,
  );
  const endMs = parseCertificate(short.certificatePem).notAfterMs;
  await poll("the short one has expired", () => Date.now() > endMs, SETTLE);
}

async function ownCa(member: Member): Promise<string> {
  const { "tls.crt": certificate = "" } = await readSecret(member, CA_SECRET_NAME);
  return certificate;
}

async function rotateToTheEnd(member: Member): Promise<void> {
  const rotate = ["rotate", "ca", "--context", member.name, ...ROTATION_TIMEOUT];
  await link(system.bed, ...rotate);
  expect(parseBundle(await publishedBundle(member))).toHaveLength(2);
  await link(system.bed, ...rotate, "--until", "finished");
}

async function seeOnlyTheNewCa(member: Member, oldCa: string): Promise<void> {
  const newCa = await ownCa(member);
  expect(sameBundle(newCa, oldCa)).toBe(false);
  const { "tls.crt": leaf = "" } = await readSecret(member, GATEWAY_TLS_SECRET_NAME);
  const identity = gatewayIdentity(member.name);
  expect(isVouchedFor({ certificatePem: leaf, bundlePem: newCa, identity })).toBe(true);
  for (const [what, read] of [
    ["the published bundle", () => publishedBundle(member)],
    ["what the other side trusts", () => trustedBundle(member.name)],
  ] as const) {
    const isOnlyNew = async () => sameBundle(await read(), newCa);
    await poll(`${what} of ${member.name} is the new CA alone`, isOnlyNew, SETTLE);
  }
}

/** Whatever is renewed or rotated, a caller of a mirror sees no failure. */
export function rotationTests(world: () => World): void {
  beforeAll(async () => {
    ({ system, west, east } = world());
    await east.client.patch(
      RESOURCES.links,
      { namespace: INSTALL_NAMESPACE, name: "west" },
      { spec: { probe: PATIENT_PROBE } },
      { type: "merge" },
    );
    await createNamespaces([west, east], NAMESPACE);
    await applyObjects(
      west.client,
      webServer({ namespace: NAMESPACE, name: "web", cluster: "west", image: system.image }),
    );
    await link(system.bed, "export", "svc/web", "-n", NAMESPACE, "--context", "west");
    caller = await startCaller(system, east, {
      namespace: NAMESPACE,
      name: "caller",
      target: `http://web-west.${NAMESPACE}.svc/`,
    });
    await untilAnswered(caller, "west", 0);
    await untilSteady(caller, "west", STEADY);
  });

  afterAll(async () => {
    await caller?.stop();
  });

  it(`through ${CREDENTIAL_ROTATIONS} changes of the link's credentials, with the watch going on`, async () => {
    const failures = await failuresDuring(async () => {
      for (let rotation = 1; rotation <= CREDENTIAL_ROTATIONS; rotation += 1) {
        await replaceToken();
        await changeAndSeeIt(`r${rotation}`);
      }
    });
    expect(failures).toEqual([]);
    await changeAndSeeIt("after");
  });

  it("while the certificates of both sides' gateways are about to expire and are issued anew", async () => {
    const failures = await failuresDuring(async () => {
      await Promise.all([west, east].map(letLeafExpire));
    });
    expect(failures).toEqual([]);
  });

  it("while the CAs of both are rotated at the same time, after which nobody trusts the old ones", async () => {
    const rotations = await Promise.all(
      [west, east].map(async (member) => ({ member, oldCa: await ownCa(member) })),
    );
    const failures = await failuresDuring(async () => {
      await Promise.all([west, east].map(rotateToTheEnd));
    });
    expect(failures).toEqual([]);
    for (const { member, oldCa } of rotations) await seeOnlyTheNewCa(member, oldCa);
  });
}
