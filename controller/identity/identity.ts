import type { Random } from "../../api/clock.ts";
import { TerminalError } from "../../api/errors.ts";
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
import { formatNamespaceList } from "../../api/namespace-list.ts";
import type { ConfigMap, Secret } from "../../api/objects.ts";
import { REASONS } from "../../api/reasons.ts";
import { RESOURCES } from "../../api/resources.ts";
import type { Startable } from "../../api/startable.ts";
import { isApiError } from "../../kube/client/api-error.ts";
import type { KubeMetrics } from "../../kube/metrics.ts";
import {
  createController,
  type ReconcileContext,
  type Result,
} from "../../kube/reconciler/reconciler.ts";
import type { Reflector } from "../../kube/reflector/reflector.ts";
import { createAuthority } from "../../pki/authority.ts";
import { sameBundle } from "../../pki/trust.ts";
import { followForeign, foreignBundle } from "./foreign-identity.ts";
import { reportSecret, tell, warn } from "./identity-events.ts";
import { keepLeaf } from "./leaf-keeper.ts";
import {
  isCertManagers,
  isOurSecret,
  type OwnAuthority,
  planAuthority,
  tlsData,
} from "./own-secrets.ts";
import { readRotation } from "./rotation-secret.ts";
import { AuthorityRotator, type IdentityLook, type RotatorOptions } from "./rotator.ts";

export interface IdentityKeeperOptions extends RotatorOptions {
  secrets: Reflector<Secret>;
  /** The only namespaces that linked clusters may read; undefined: all. */
  namespaces?: readonly string[] | undefined;
  /** Whether cert-manager makes CA and leaf: then neither is ever written here. */
  foreignCertificates?: boolean | undefined;
  random: Random;
  kubeMetrics: KubeMetrics;
}

type KeepOptions = IdentityKeeperOptions & { rotator: AuthorityRotator };

/** A look this often repairs the published ConfigMap, which is not watched. */
const LOOK_PERIOD_MS = 5 * 60_000;
const RESTART_MS = 50;
const MIN_RENEWAL_MS = 1_000;
const REQUEST = { group: "", key: "identity" };
const LABEL = { [LABELS.managedBy]: MANAGED_BY };

/** This cluster's own bundle: what vouches for its gateways' certificates now. */
export function readOwnBundle(
  { secrets, foreignCertificates }: Pick<IdentityKeeperOptions, "secrets" | "foreignCertificates">,
  nowMs: number,
): string | undefined {
  const leaf = secrets.store.get(`${INSTALL_NAMESPACE}/${GATEWAY_TLS_SECRET_NAME}`);
  const authority = secrets.store.get(`${INSTALL_NAMESPACE}/${CA_SECRET_NAME}`);
  if (foreignCertificates === true || isCertManagers(leaf)) {
    return foreignBundle({ leaf, authority }, nowMs);
  }
  const plan = planAuthority(authority, nowMs);
  return plan.action === "none" ? plan.own.bundlePem : undefined;
}

/**
 * Keeps who this cluster is: its CA (made once, rotated when it is old or when
 * that is asked for), its gateways' leaf (renewed after two thirds of its
 * life), and the ConfigMap by which linked clusters learn both. What
 * cert-manager keeps is only published.
 */
export function createIdentityKeeper(options: IdentityKeeperOptions): Startable {
  const { secrets, clock, random, logger, kubeMetrics } = options;
  const rotator = new AuthorityRotator(options);
  const controller = createController({
    name: "identity",
    reconcile: async (_request, context) => await keep({ ...options, rotator }, context),
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

async function keep(options: KeepOptions, context: ReconcileContext): Promise<Result> {
  const { client } = options;
  const leafSecret = await client.find<Secret>(
    RESOURCES.secrets,
    { namespace: INSTALL_NAMESPACE, name: GATEWAY_TLS_SECRET_NAME },
    { signal: context.signal },
  );
  if (options.foreignCertificates === true || isCertManagers(leafSecret)) {
    return await keepForeign(options, leafSecret, context);
  }
  const kept = await keepAuthority(options, context);
  if (kept === undefined) return { requeueAfterMs: LOOK_PERIOD_MS };
  const before = await findPublished(options, context);
  const isOut = isSameBundle(before?.data?.[IDENTITY_KEYS.trustBundle], kept.own.bundlePem);
  if (!isOut && (await restartRotation(options, kept, context))) {
    return { requeueAfterMs: RESTART_MS };
  }
  await publish(options, before, kept.own.bundlePem, context);
  const leaf = await keepLeaf(options, kept.own, leafSecret, context);
  const leafNotAfterMs = leaf?.issuedByOwn === true ? leaf.notAfterMs : undefined;
  const rotationMs = await advance(options, { ...kept, leafNotAfterMs }, context);
  const leafMs = leaf === undefined ? LOOK_PERIOD_MS : leaf.dueMs - options.clock.nowMs();
  const waitMs = Math.min(Math.max(MIN_RENEWAL_MS, leafMs), rotationMs ?? LOOK_PERIOD_MS);
  return { requeueAfterMs: Math.min(waitMs, LOOK_PERIOD_MS) };
}

async function restartRotation(
  { rotator }: KeepOptions,
  kept: { secret: Secret; own: OwnAuthority },
  { signal }: ReconcileContext,
): Promise<boolean> {
  return isOurSecret(kept.secret) && (await rotator.restart(kept, signal));
}

/** Rotates the CA where it is ours to rotate. */
async function advance(
  options: KeepOptions,
  look: IdentityLook,
  { signal }: ReconcileContext,
): Promise<number | undefined> {
  const { secret, own } = look;
  if (isOurSecret(secret)) return await options.rotator.advance(look, signal);
  const { requested, finished } = readRotation(secret, own);
  if (requested !== undefined && requested !== finished) {
    const note = `Secret ${INSTALL_NAMESPACE}/${CA_SECRET_NAME} was not made by Isthmus: its CA is not rotated here.`;
    warn(options, secret, REASONS.AuthorityRotationWaiting, note);
  }
  return undefined;
}

/** Somebody else keeps CA and leaf: they are followed, and published. */
async function keepForeign(
  options: KeepOptions,
  secret: Secret | undefined,
  context: ReconcileContext,
): Promise<Result> {
  const nowMs = options.clock.nowMs();
  const { signal } = context;
  const bundlePem = await followForeign(options, secret, { signal, nowMs });
  if (bundlePem !== undefined) {
    await publish(options, await findPublished(options, context), bundlePem, context);
  }
  return { requeueAfterMs: LOOK_PERIOD_MS };
}

async function keepAuthority(
  options: KeepOptions,
  { signal }: ReconcileContext,
): Promise<{ secret: Secret; own: OwnAuthority } | undefined> {
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
      tell(options, secret, REASONS.AuthorityCreated, `Created the CA of ${clusterName}.`);
    } catch (error) {
      if (!isApiError(error, 409)) throw error;
      secret = await client.get<Secret>(RESOURCES.secrets, key, { signal });
    }
    plan = planAuthority(secret, clock.nowMs());
  }
  if (plan.action === "report" && secret !== undefined) {
    reportSecret(options, secret, REASONS.AuthorityInvalid, plan.message);
  }
  if (plan.action !== "none" || secret === undefined) return undefined;
  const { own } = plan;
  metrics.certificateExpiry.set({ certificate: "authority" }, own.notAfterMs / 1000);
  const next = { certificate: "authority-next" };
  if (own.nextNotAfterMs === undefined) metrics.certificateExpiry.remove(next);
  else metrics.certificateExpiry.set(next, own.nextNotAfterMs / 1000);
  return { secret, own };
}

const PUBLISHED_KEY = { namespace: INSTALL_NAMESPACE, name: IDENTITY_CONFIG_MAP_NAME };

/** The ConfigMap that linked clusters read. */
async function findPublished(
  { client }: KeepOptions,
  { signal }: ReconcileContext,
): Promise<ConfigMap | undefined> {
  return await client.find<ConfigMap>(RESOURCES.configMaps, PUBLISHED_KEY, { signal });
}

/** Writes that ConfigMap where it differs. */
async function publish(
  { client, clusterName, namespaces }: KeepOptions,
  before: ConfigMap | undefined,
  bundlePem: string,
  { signal }: ReconcileContext,
): Promise<void> {
  const data: Record<string, string> = {
    [IDENTITY_KEYS.clusterName]: clusterName,
    [IDENTITY_KEYS.gatewayIdentity]: gatewayIdentity(clusterName),
    [IDENTITY_KEYS.trustBundle]: bundlePem,
    ...(namespaces && { [IDENTITY_KEYS.namespaces]: formatNamespaceList(namespaces) }),
  };
  const same = Object.values(IDENTITY_KEYS).every((name) => before?.data?.[name] === data[name]);
  if (before !== undefined && same) return;
  await client.apply<ConfigMap>(
    RESOURCES.configMaps,
    { metadata: { ...PUBLISHED_KEY, labels: LABEL }, data },
    { fieldManager: CONTROLLER_FIELD_MANAGER, force: true, signal },
  );
}

function isSameBundle(published: string | undefined, bundlePem: string): boolean {
  try {
    return published !== undefined && sameBundle(published, bundlePem);
  } catch (error) {
    // Someone wrote something else into it.
    if (error instanceof TerminalError) return false;
    throw error;
  }
}
