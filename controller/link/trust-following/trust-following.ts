import { errorMessage } from "../../../api/errors.ts";
import { type Link, parseLinkSpec } from "../../../api/link.ts";
import {
  CA_SECRET_NAME,
  CONTROLLER_FIELD_MANAGER,
  GATEWAY_TLS_SECRET_NAME,
  IDENTITY_KEYS,
  INSTALL_NAMESPACE,
} from "../../../api/names.ts";
import { type Peer, parsePeerSpec } from "../../../api/peer.ts";
import { REASONS } from "../../../api/reasons.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { Startable } from "../../../api/startable.ts";
import type { KubeClient } from "../../../kube/client/client.ts";
import type { ReconcileContext, Result } from "../../../kube/reconciler/reconciler.ts";
import { sameBundle } from "../../../pki/trust.ts";
import type { LinkWatcher } from "../link-watcher.ts";
import { createLinkLoop, type LinkLoopOptions } from "../link-loop.ts";
import { referenceOf } from "../link-status/status-writer.ts";

const TRUST_FIELD_MANAGER = `${CONTROLLER_FIELD_MANAGER}-trust`;
/** How often the two sides' bundles are compared; far shorter than a rotation's overlap. */
const COMPARE_PERIOD_MS = 15_000;
const NOT_SYNCED_MS = 2_000;

const OWN_SECRETS: ReadonlySet<string> = new Set(
  [CA_SECRET_NAME, GATEWAY_TLS_SECRET_NAME].map((name) => `${INSTALL_NAMESPACE}/${name}`),
);

export interface TrustFollowingOptions extends LinkLoopOptions {
  ownCluster: string;
  /** This cluster's own bundle, as its gateways' certificates are vouched for. */
  ownBundle: () => string | undefined;
}

/**
 * Lets trust bundles follow the rotation of either side's CA: the provider's
 * published bundle into the Link, our own into the provider's Peer for us.
 * Both travel over the provider's API, which the credentials vouch for.
 */
export function createTrustFollowing(options: TrustFollowingOptions): Startable {
  return createLinkLoop(options, {
    name: "trust-following",
    reconcile: async ({ key }, context) => await follow(options, key, context),
    concerns: (secretKey) => OWN_SECRETS.has(secretKey),
  });
}

async function follow(
  options: TrustFollowingOptions,
  linkName: string,
  context: ReconcileContext,
): Promise<Result> {
  const link = options.links.store.get(`${INSTALL_NAMESPACE}/${linkName}`);
  if (link === undefined || link.metadata.deletionTimestamp !== undefined) return {};
  const watcher = options.watcher(linkName);
  if (watcher?.session?.synced !== true) return { requeueAfterMs: NOT_SYNCED_MS };
  try {
    await followProvider(options, link, watcher, context);
    await followOwn(options, link, watcher.session.client, context);
  } catch (error) {
    if (context.signal.aborted) throw error;
    options.events.record(referenceOf(link), {
      type: "Warning",
      reason: REASONS.TrustBundleNotFollowed,
      action: "FollowTrust",
      note: `A trust bundle that changed could not be taken over: ${errorMessage(error)}`,
    });
    throw error;
  }
  return { requeueAfterMs: COMPARE_PERIOD_MS };
}

/** The provider's bundle into the Link, as long as it still is who the Link says. */
async function followProvider(
  options: TrustFollowingOptions,
  link: Link,
  watcher: LinkWatcher,
  { signal, logger }: ReconcileContext,
): Promise<void> {
  const published = watcher.session?.identity?.data ?? {};
  const bundle = published[IDENTITY_KEYS.trustBundle];
  const spec = parseLinkSpec(link);
  if (bundle === undefined || published[IDENTITY_KEYS.gatewayIdentity] !== spec.gateway.identity) {
    return;
  }
  if (sameBundle(bundle, spec.trustBundle)) return;
  const { name, namespace = INSTALL_NAMESPACE, uid } = link.metadata;
  await options.client.apply<Link>(
    RESOURCES.links,
    {
      metadata: { name, namespace, ...(uid !== undefined && { uid }) },
      spec: { trustBundle: bundle },
    },
    { fieldManager: TRUST_FIELD_MANAGER, force: true, signal },
  );
  logger.info("the provider's trust bundle changed");
  options.events.record(referenceOf(link), {
    type: "Normal",
    reason: REASONS.TrustBundleUpdated,
    action: "FollowTrust",
    note: "spec.trustBundle now is what the provider publishes.",
  });
}

/** Our own bundle into the provider's Peer for us; a Peer that is not there is the provider's decision. */
async function followOwn(
  options: TrustFollowingOptions,
  link: Link,
  remote: KubeClient,
  { signal, logger }: ReconcileContext,
): Promise<void> {
  const { ownCluster, events } = options;
  const own = options.ownBundle();
  if (own === undefined) return;
  const key = { namespace: INSTALL_NAMESPACE, name: ownCluster };
  const peer = await remote.find<Peer>(RESOURCES.peers, key, { signal });
  if (peer === undefined || sameBundle(parsePeerSpec(peer).trustBundle, own)) return;
  await remote.patch(
    RESOURCES.peers,
    key,
    {
      metadata: { resourceVersion: peer.metadata.resourceVersion },
      spec: { trustBundle: own },
    },
    { type: "merge", fieldManager: CONTROLLER_FIELD_MANAGER, signal },
  );
  logger.info("the provider's Peer got this cluster's new trust bundle");
  events.record(referenceOf(link), {
    type: "Normal",
    reason: REASONS.TrustBundleUpdated,
    action: "FollowTrust",
    note: `The provider's Peer ${ownCluster} got this cluster's trust bundle.`,
  });
}
