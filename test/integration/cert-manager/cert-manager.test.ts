import { Registry } from "prom-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../../api/clock.ts";
import {
  CA_SECRET_NAME,
  CONTROLLER_NAME,
  GATEWAY_TLS_SECRET_NAME,
  gatewayIdentity,
  IDENTITY_CONFIG_MAP_NAME,
  INSTALL_NAMESPACE,
  LEADER_LEASE_NAME,
} from "../../../api/names.ts";
import type { ConfigMap, Secret } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { IsthmusController } from "../../../controller/controller.ts";
import { encode } from "../../../controller/identity/own-secrets.ts";
import { createKubeClient, type KubeClient } from "../../../kube/client/client.ts";
import type { KubeEvent } from "../../../kube/events.ts";
import { createLogger } from "../../../kube/logger.ts";
import { type CertificateAndKey, createAuthority, issueLeaf } from "../../../pki/authority.ts";
import { sameBundle } from "../../../pki/trust.ts";
import { adminConfig, configFor, eventually } from "../fixtures.ts";
import { install, tokenFor } from "../link/clusters.ts";

const inSystem = (name: string) => ({ namespace: INSTALL_NAMESPACE, name });
/** What a test of this file leaves in the control plane, which other files use. */
const LEFT = [
  [RESOURCES.secrets, CA_SECRET_NAME],
  [RESOURCES.secrets, GATEWAY_TLS_SECRET_NAME],
  [RESOURCES.configMaps, IDENTITY_CONFIG_MAP_NAME],
  [RESOURCES.leases, LEADER_LEASE_NAME],
] as const;

let admin: KubeClient;
let client: KubeClient;
let controller: IsthmusController;
const registry = new Registry();

/** The shipped ServiceAccount, told that cert-manager makes the certificates; none is there. */
beforeAll(async () => {
  admin = createKubeClient(adminConfig("north"));
  await install(admin);
  for (const [resource, name] of LEFT) await admin.remove(resource, inSystem(name));
  const { server = "", caData = "" } = adminConfig("north").getCurrentCluster() ?? {};
  const caPem = Buffer.from(caData, "base64").toString();
  const token = await tokenFor(admin, CONTROLLER_NAME);
  client = createKubeClient(configFor({ server, caPem }, { token }));
  controller = new IsthmusController({
    client,
    clusterName: "north",
    foreignCertificates: true,
    replica: "controller-0",
    health: { port: 0, host: "127.0.0.1" },
    clock: systemClock,
    random: Math.random,
    logger: createLogger({ name: "test", level: process.env["TEST_LOG_LEVEL"] ?? "silent" }),
    registry,
    onLeadershipLost: () => {},
  });
  await controller.start(new AbortController().signal);
});

afterAll(async () => {
  await controller.stop();
  for (const [resource, name] of LEFT) await admin.remove(resource, inSystem(name));
  await Promise.all([client.close(), admin.close()]);
});

/** A Secret of type kubernetes.io/tls with the labels and annotations that cert-manager puts on it. */
async function putSecret(name: string, pair: CertificateAndKey, caPem: string): Promise<Secret> {
  return await admin.apply<Secret>(
    RESOURCES.secrets,
    {
      metadata: {
        ...inSystem(name),
        labels: { "controller.cert-manager.io/fao": "true" },
        annotations: {
          "cert-manager.io/certificate-name": name,
          "cert-manager.io/issuer-group": "cert-manager.io",
          "cert-manager.io/issuer-kind": "Issuer",
          "cert-manager.io/issuer-name": name,
          "cert-manager.io/uri-sans": gatewayIdentity("north"),
        },
      },
      type: "kubernetes.io/tls",
      data: {
        "ca.crt": encode(caPem),
        "tls.crt": encode(pair.certificatePem),
        "tls.key": encode(pair.privateKeyPem),
      },
    },
    { fieldManager: "cert-manager-certificates-issuing", force: true },
  );
}

async function published(): Promise<string | undefined> {
  const key = inSystem(IDENTITY_CONFIG_MAP_NAME);
  const configMap = await admin.find<ConfigMap>(RESOURCES.configMaps, key);
  return configMap?.data?.["ca.crt"];
}

async function untilPublished(expectedPem: string, describe: string): Promise<void> {
  await eventually(
    async () => {
      const bundlePem = (await published()) ?? "";
      if (bundlePem === "" || !sameBundle(bundlePem, expectedPem)) throw new Error(bundlePem);
    },
    { describe },
  );
}

async function untilEvent(reason: string): Promise<string> {
  return await eventually(
    async () => {
      const { items } = await admin.list<KubeEvent>(RESOURCES.events, {
        namespace: INSTALL_NAMESPACE,
      });
      const found = items.find((event) => event.reason === reason);
      if (found === undefined) throw new Error(items.map((event) => event.reason).join());
      return found.note ?? "";
    },
    { describe: `an Event ${reason}` },
  );
}

test("the CA and the gateways' certificate of cert-manager are followed and published, and never written", async () => {
  const identity = gatewayIdentity("north");
  expect(await untilEvent("LeafPending")).toContain("cert-manager has to make it");
  const ca = await createAuthority({ clusterName: "north", nowMs: Date.now() });
  const leaf = await issueLeaf(ca, { identity, nowMs: Date.now() });
  await putSecret(CA_SECRET_NAME, ca, ca.certificatePem);
  await putSecret(GATEWAY_TLS_SECRET_NAME, leaf, ca.certificatePem);
  await untilPublished(ca.certificatePem, "the CA of cert-manager is published");
  expect(await registry.metrics()).toMatch(
    /isthmus_certificate_expiry_timestamp_seconds\{certificate="leaf"\} \d+/,
  );

  // cert-manager renews a CA, and much later what it signs.
  const renewed = await createAuthority({ clusterName: "north", nowMs: Date.now() });
  await putSecret(CA_SECRET_NAME, renewed, renewed.certificatePem);
  await untilPublished(ca.certificatePem + renewed.certificatePem, "both CAs are published");
  const next = await issueLeaf(renewed, { identity, nowMs: Date.now() });
  const written = await putSecret(GATEWAY_TLS_SECRET_NAME, next, renewed.certificatePem);
  await untilPublished(renewed.certificatePem, "the new CA alone is published");

  // One that ends soon is told, and left alone.
  const old = await issueLeaf(renewed, { identity, nowMs: Date.now() - 21 * 3_600_000 });
  const late = await putSecret(GATEWAY_TLS_SECRET_NAME, old, renewed.certificatePem);
  expect(late.metadata.uid).toBe(written.metadata.uid);
  expect(await untilEvent("LeafRenewalLate")).toContain("describe certificate isthmus-gateway-tls");
  const kept = await admin.get<Secret>(RESOURCES.secrets, inSystem(GATEWAY_TLS_SECRET_NAME));
  expect(kept.metadata.resourceVersion).toBe(late.metadata.resourceVersion);
});

/** How often the controller has looked at this cluster's identity. */
async function looks(): Promise<number> {
  const line =
    /^isthmus_controller_reconcile_duration_seconds_count\{controller="identity".*\} (\d+)$/m;
  return Number(line.exec(await registry.metrics())?.[1] ?? 0);
}

test("a Secret that is gone is left to cert-manager, and what was published stays", async () => {
  const before = await published();
  const looked = await looks();
  for (const name of [CA_SECRET_NAME, GATEWAY_TLS_SECRET_NAME]) {
    await admin.remove(RESOURCES.secrets, inSystem(name));
  }
  await eventually(async () => expect(await looks()).toBeGreaterThan(looked + 1), {
    describe: "the controller has looked at what is missing",
  });
  expect(await published()).toBe(before);
  expect(await admin.find(RESOURCES.secrets, inSystem(CA_SECRET_NAME))).toBe(undefined);
});
