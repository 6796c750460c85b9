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
import type { PeerBundles } from "./peer-bundles.ts";

const TRUST_FIELD_MANAGER = `${CONTROLLER_FIELD_MANAGER}-trust`;
/** How often the provider's bundle is compared; what it publishes is read with every heartbeat. */
const COMPARE_PERIOD_MS = 2_000;
/** How often the provider's Peer for us is looked at while our own bundle stays the same. */
const PEER_PERIOD_MS = 15_000;
const NOT_SYNCED_MS = 2_000;

const OWN_SECRETS: ReadonlySet<string> = new Set(
  [CA_SECRET_NAME, GATEWAY_TLS_SECRET_NAME].map((name) => `${INSTALL_NAMESPACE}/${name}`),
);

export interface TrustFollowingOptions extends LinkLoopOptions {
  ownCluster: string;
  /** This cluster's own bundle, as its gateways' certificates are vouched for. */
  ownBundle: () => string | undefined;
  /** Where it is noted what the providers trust of this cluster. */
  peerBundles: PeerBundles;
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

/** The Links that are not being deleted, by name. */
export function linkNames(links: readonly Link[]): string[] {
  return links
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(({ metadata }) => metadata.name);
}

async function follow(
  options: TrustFollowingOptions,
  linkName: string,
  context: ReconcileContext,
): Promise<Result> {
  const link = options.links.store.get(`${INSTALL_NAMESPACE}/${linkName}`);
  if (link === undefined || link.metadata.deletionTimestamp !== undefined) {
    options.peerBundles.keepOnly(new Set(linkNames(options.links.store.list())));
    return {};
  }
  const watcher = options.watcher(linkName);
  const session = watcher?.session;
  if (watcher === undefined || session?.synced !== true) return { requeueAfterMs: NOT_SYNCED_MS };
  try {
    await followProvider(options, link, watcher, context);
    await followOwn(options, link, options.fence(session.client), context);
  } catch (error) {
    if (context.signal.aborted) throw error;
    // Other credentials took over meanwhile, and what was asked with the old ones was cut off.
    if (watcher.session !== session) return { requeueAfterMs: NOT_SYNCED_MS };
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
  const { ownCluster, events, peerBundles, clock } = options;
  const { name } = link.metadata;
  const own = options.ownBundle();
  if (own === undefined || !peerBundles.isDue(name, own, clock.nowMs(), PEER_PERIOD_MS)) return;
  const key = { namespace: INSTALL_NAMESPACE, name: ownCluster };
  const peer = await remote.find<Peer>(RESOURCES.peers, key, { signal });
  const found = peer && parsePeerSpec(peer).trustBundle;
  if (peer === undefined || found === undefined || sameBundle(found, own)) {
    peerBundles.record(name, found, own, clock.nowMs());
    return;
  }
  await remote.patch(
    RESOURCES.peers,
    key,
    {
      metadata: { resourceVersion: peer.metadata.resourceVersion },
      spec: { trustBundle: own },
    },
    { type: "merge", fieldManager: CONTROLLER_FIELD_MANAGER, signal },
  );
  peerBundles.record(name, own, own, clock.nowMs());
  logger.info("the provider's Peer got this cluster's new trust bundle");
  events.record(referenceOf(link), {
    type: "Normal",
    reason: REASONS.TrustBundleUpdated,
    action: "FollowTrust",
    note: `The provider's Peer ${ownCluster} got this cluster's trust bundle.`,
  });
}
