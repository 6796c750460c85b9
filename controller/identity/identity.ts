import type { Clock, Random } from "../../api/clock.ts";
import {
  CA_SECRET_NAME,
  CONTROLLER_FIELD_MANAGER,
  GATEWAY_TLS_SECRET_NAME,
  gatewayIdentity,
  IDENTITY_CONFIG_MAP_NAME,
  IDENTITY_KEYS,
  INSTALL_NAMESPACE,
  LABELS,
  MANAGED_BY,
} from "../../api/names.ts";
import type { ConfigMap, Secret } from "../../api/objects.ts";
import { REASONS, type Reason } from "../../api/reasons.ts";
import { RESOURCES } from "../../api/resources.ts";
import type { Startable } from "../../api/startable.ts";
import { isApiError } from "../../kube/client/api-error.ts";
import type { KubeClient } from "../../kube/client/client.ts";
import type { EventRecorder } from "../../kube/events.ts";
import type { Logger } from "../../kube/logger.ts";
import type { KubeMetrics } from "../../kube/metrics.ts";
import {
  createController,
  type ReconcileContext,
  type Result,
} from "../../kube/reconciler/reconciler.ts";
import type { Reflector } from "../../kube/reflector/reflector.ts";
import { createAuthority, issueLeaf } from "../../pki/authority.ts";
import type { LinkMetrics } from "../metrics.ts";
import {
  isCertManagers,
  issuerBundle,
  type OwnAuthority,
  planAuthority,
  planLeaf,
  tlsData,
} from "./own-secrets.ts";

export interface IdentityKeeperOptions {
  client: KubeClient;
  secrets: Reflector<Secret>;
  clusterName: string;
  events: EventRecorder;
  clock: Clock;
  random: Random;
  logger: Logger;
  kubeMetrics: KubeMetrics;
  metrics: LinkMetrics;
}

/** A look this often repairs the published ConfigMap, which is not watched. */
const LOOK_PERIOD_MS = 5 * 60_000;
const REQUEST = { group: "", key: "identity" };
const LABEL = { [LABELS.managedBy]: MANAGED_BY };

/** This cluster's own bundle: what vouches for its gateways' certificates now. */
export function readOwnBundle(secrets: Reflector<Secret>, nowMs: number): string | undefined {
  const leaf = secrets.store.get(`${INSTALL_NAMESPACE}/${GATEWAY_TLS_SECRET_NAME}`);
  if (leaf !== undefined && isCertManagers(leaf)) return issuerBundle(leaf);
  const plan = planAuthority(secrets.store.get(`${INSTALL_NAMESPACE}/${CA_SECRET_NAME}`), nowMs);
  return plan.action === "none" ? plan.own.bundlePem : undefined;
}

/**
 * Keeps who this cluster is: its CA (made once), its gateways' leaf (renewed
 * after two thirds of its life), and the ConfigMap by which linked clusters
 * learn both. What cert-manager keeps is only published.
 */
export function createIdentityKeeper(options: IdentityKeeperOptions): Startable {
  const { secrets, clock, random, logger, kubeMetrics } = options;
  const controller = createController({
    name: "identity",
    reconcile: async (_request, context) => await keep(options, context),
    concurrency: 1,
    clock,
    random,
    logger,
    metrics: kubeMetrics,
  });
  const watched = [CA_SECRET_NAME, GATEWAY_TLS_SECRET_NAME].map(
    (name) => `${INSTALL_NAMESPACE}/${name}`,
  );
  let unsubscribe: (() => void) | undefined;
  return {
    start: async (signal) => {
      unsubscribe = secrets.onEvent(({ key }) => {
        if (watched.includes(key)) controller.enqueue(REQUEST);
      });
      controller.enqueue(REQUEST);
      await controller.start(signal);
    },
    stop: async () => {
      unsubscribe?.();
      await controller.stop();
    },
  };
}

async function keep(options: IdentityKeeperOptions, context: ReconcileContext): Promise<Result> {
  const { client } = options;
  const leafSecret = await client.find<Secret>(
    RESOURCES.secrets,
    { namespace: INSTALL_NAMESPACE, name: GATEWAY_TLS_SECRET_NAME },
    { signal: context.signal },
  );
  if (leafSecret !== undefined && isCertManagers(leafSecret)) {
    return await keepForeign(options, leafSecret, context);
  }
  const own = await keepAuthority(options, context);
  if (own === undefined) return { requeueAfterMs: LOOK_PERIOD_MS };
  await publish(options, own.bundlePem, context);
  const dueMs = await keepLeaf(options, own, leafSecret, context);
  const waitMs = dueMs === undefined ? LOOK_PERIOD_MS : dueMs - options.clock.nowMs();
  return { requeueAfterMs: Math.max(1_000, Math.min(waitMs, LOOK_PERIOD_MS)) };
}

/** cert-manager keeps the leaf: its issuer's bundle is what others have to trust. */
async function keepForeign(
  options: IdentityKeeperOptions,
  secret: Secret,
  context: ReconcileContext,
): Promise<Result> {
  const bundlePem = issuerBundle(secret);
  if (bundlePem === undefined) {
    report(options, secret, REASONS.LeafInvalid, "its ca.crt holds no certificate");
    return { requeueAfterMs: LOOK_PERIOD_MS };
  }
  const identity = gatewayIdentity(options.clusterName);
  const plan = planLeaf(secret, { bundlePem, identity }, options.clock.nowMs());
  if (plan.action === "report") report(options, secret, REASONS.LeafInvalid, plan.message);
  await publish(options, bundlePem, context);
  return { requeueAfterMs: LOOK_PERIOD_MS };
}

async function keepAuthority(
  options: IdentityKeeperOptions,
  { signal, logger }: ReconcileContext,
): Promise<OwnAuthority | undefined> {
  const { client, clock, clusterName, metrics } = options;
  const key = { namespace: INSTALL_NAMESPACE, name: CA_SECRET_NAME };
  let secret = await client.find<Secret>(RESOURCES.secrets, key, { signal });
  let plan = planAuthority(secret, clock.nowMs());
  if (plan.action === "create") {
    const authority = await createAuthority({ clusterName, nowMs: clock.nowMs() });
    try {
      secret = await client.create<Secret>(
        RESOURCES.secrets,
        {
          metadata: { ...key, labels: LABEL },
          type: "kubernetes.io/tls",
          data: tlsData(authority, authority.certificatePem),
        },
        { signal },
      );
      logger.info("created this cluster's CA");
      announce(options, secret, REASONS.AuthorityCreated, `Created the CA of ${clusterName}.`);
    } catch (error) {
      if (!isApiError(error, 409)) throw error;
      secret = await client.get<Secret>(RESOURCES.secrets, key, { signal });
    }
    plan = planAuthority(secret, clock.nowMs());
  }
  if (plan.action === "report" && secret !== undefined) {
    report(options, secret, REASONS.AuthorityInvalid, plan.message);
  }
  if (plan.action !== "none") return undefined;
  metrics.certificateExpiry.set({ certificate: "authority" }, plan.own.notAfterMs / 1000);
  return plan.own;
}

/** Returns when to look at the leaf again, in epoch ms. */
async function keepLeaf(
  options: IdentityKeeperOptions,
  own: OwnAuthority,
  secret: Secret | undefined,
  { signal, logger }: ReconcileContext,
): Promise<number | undefined> {
  const { client, clock, clusterName, metrics } = options;
  const identity = gatewayIdentity(clusterName);
  const nowMs = clock.nowMs();
  const plan = planLeaf(secret, { bundlePem: own.bundlePem, identity }, nowMs);
  if (plan.action === "report") {
    if (secret !== undefined) report(options, secret, REASONS.LeafInvalid, plan.message);
    return undefined;
  }
  if (plan.action === "none") {
    metrics.certificateExpiry.set({ certificate: "leaf" }, plan.notAfterMs / 1000);
    return plan.dueMs;
  }
  const leaf = await issueLeaf(own.authority, { identity, nowMs });
  const data = tlsData(leaf, own.bundlePem);
  const key = { namespace: INSTALL_NAMESPACE, name: GATEWAY_TLS_SECRET_NAME };
  const written =
    secret === undefined
      ? await client.create<Secret>(
          RESOURCES.secrets,
          { metadata: { ...key, labels: LABEL }, type: "kubernetes.io/tls", data },
          { signal },
        )
      : await client.patch<Secret>(
          RESOURCES.secrets,
          key,
          { metadata: { resourceVersion: secret.metadata.resourceVersion }, data },
          { type: "merge", fieldManager: CONTROLLER_FIELD_MANAGER, signal },
        );
  logger.info({ identity }, "issued the gateways' certificate");
  announce(options, written, REASONS.LeafIssued, `Issued the gateways' certificate ${identity}.`);
  const kept = planLeaf(written, { bundlePem: own.bundlePem, identity }, nowMs);
  if (kept.action !== "none") return undefined;
  metrics.certificateExpiry.set({ certificate: "leaf" }, kept.notAfterMs / 1000);
  return kept.dueMs;
}

/** Writes the ConfigMap that linked clusters read, where it differs. */
async function publish(
  { client, clusterName }: IdentityKeeperOptions,
  bundlePem: string,
  { signal }: ReconcileContext,
): Promise<void> {
  const key = { namespace: INSTALL_NAMESPACE, name: IDENTITY_CONFIG_MAP_NAME };
  const data = {
    [IDENTITY_KEYS.clusterName]: clusterName,
    [IDENTITY_KEYS.gatewayIdentity]: gatewayIdentity(clusterName),
    [IDENTITY_KEYS.trustBundle]: bundlePem,
  };
  const before = await client.find<ConfigMap>(RESOURCES.configMaps, key, { signal });
  const same = Object.entries(data).every(([name, value]) => before?.data?.[name] === value);
  if (before !== undefined && same) return;
  await client.apply<ConfigMap>(
    RESOURCES.configMaps,
    { metadata: { ...key, labels: LABEL }, data },
    { fieldManager: CONTROLLER_FIELD_MANAGER, force: true, signal },
  );
}

function report(
  { events, logger }: IdentityKeeperOptions,
  secret: Secret,
  reason: Reason,
  what: string,
): void {
  const note = `Secret ${INSTALL_NAMESPACE}/${secret.metadata.name}: ${what}; correct it, or delete it to have another made (links then have to be joined anew).`;
  logger.error({ reason, secret: secret.metadata.name }, note);
  events.record(referenceOf(secret), { type: "Warning", reason, action: "KeepIdentity", note });
}

function announce(
  { events }: IdentityKeeperOptions,
  secret: Secret,
  reason: Reason,
  note: string,
): void {
  events.record(referenceOf(secret), { type: "Normal", reason, action: "KeepIdentity", note });
}

function referenceOf({ metadata: { name, namespace, uid } }: Secret) {
  return {
    apiVersion: "v1",
    kind: "Secret",
    name,
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
  };
}
