import type { Registry } from "prom-client";
import type { Clock, Random } from "../api/clock.ts";
import type { Link } from "../api/link.ts";
import { CONTROLLER_NAME, INSTALL_NAMESPACE, LEADER_LEASE_NAME } from "../api/names.ts";
import type { KubeObject, Secret } from "../api/objects.ts";
import { RESOURCES } from "../api/resources.ts";
import type { Startable } from "../api/startable.ts";
import type { KubeClient } from "../kube/client/client.ts";
import { LeaderElector, type LeaderElectorOptions } from "../kube/elector/elector.ts";
import { EventRecorder } from "../kube/events.ts";
import { createHealthServer, type HealthServer } from "../kube/health-server.ts";
import type { Logger } from "../kube/logger.ts";
import { declareKubeMetrics, type KubeMetrics } from "../kube/metrics.ts";
import type { ObjectCache } from "../kube/reflector/object-cache.ts";
import { Reflector } from "../kube/reflector/reflector.ts";
import { createFailoverController } from "./failover/failover.ts";
import { declareFailoverMetrics, type FailoverMetrics } from "./failover/metrics.ts";
import { createIdentityKeeper, readOwnBundle } from "./identity/identity.ts";
import { LeaderFence } from "./leader-fence.ts";
import { createLinkManager } from "./link/link.ts";
import { createTokenRenewal } from "./link/credentials/token-renewal.ts";
import type { ProviderTimeouts } from "./link/remote-session/remote-session.ts";
import { PeerBundles } from "./link/trust-following/peer-bundles.ts";
import { createTrustFollowing, linkNames } from "./link/trust-following/trust-following.ts";
import { declareLinkMetrics, type LinkMetrics } from "./metrics.ts";
import { createOwnClusterCaches, type OwnClusterCaches } from "./own-cluster/caches.ts";
import { declareMirrorMetrics, type MirrorMetrics } from "./mirror/metrics.ts";
import { LinkFollowers } from "./link-followers.ts";
import { createMirrorController } from "./mirror/mirror.ts";

/** For what is on the wire when the leader is told to stop, and for the Events of what it did. */
const LAST_WRITES_MS = 2_000;

const DEFAULT_CA_OVERLAP_MS = 3_600_000;

export interface IsthmusControllerOptions {
  /** Of the own cluster; closed by whoever made it. */
  client: KubeClient;
  /** Of the own cluster too, for the Lease alone: a renewal must not stand in line behind the leader's writes. */
  leaseClient?: KubeClient;
  /** This cluster's name among its peers. */
  clusterName: string;
  /** The only namespaces to work in; undefined: all. */
  namespaces?: readonly string[] | undefined;
  /** Namespaces that were listed before: what is ours in them goes. */
  retiredNamespaces?: readonly string[] | undefined;
  /** Whether cert-manager makes the CA and the gateways' certificate. */
  foreignCertificates?: boolean | undefined;
  /** Unique to this replica: the name of its Pod. */
  replica: string;
  health: { port: number; host?: string };
  lease?: Pick<LeaderElectorOptions, "leaseDurationMs" | "renewDeadlineMs" | "retryPeriodMs">;
  /** How long the API servers of providers are waited for; the sessions' own times when absent. */
  providerTimeouts?: ProviderTimeouts;
  /** How long old and new CA stand side by side at each step of a rotation, in ms; an hour when absent. */
  caOverlapMs?: number;
  clock: Clock;
  random: Random;
  logger: Logger;
  registry: Registry;
  /** Those that the clients count their requests in, declared on the registry; declared here when absent. */
  kubeMetrics?: KubeMetrics;
  /** The lease was lost: the caches may be behind and work half done, so the process is to begin anew. */
  onLeadershipLost: () => void;
}

/**
 * The controller of one cluster: caches in every replica, and in the leader
 * the links, the mirrors and this cluster's identity.
 */
export class IsthmusController implements Startable {
  readonly #options: IsthmusControllerOptions;
  readonly #kubeMetrics: KubeMetrics;
  readonly #linkMetrics: LinkMetrics;
  readonly #mirrorMetrics: MirrorMetrics;
  readonly #failoverMetrics: FailoverMetrics;
  readonly #links: Reflector<Link>;
  readonly #secrets: Reflector<Secret>;
  readonly #ownCluster: OwnClusterCaches;
  readonly #elector: LeaderElector;
  readonly #health: HealthServer;
  readonly #stopping = new AbortController();

  constructor(options: IsthmusControllerOptions) {
    const { client, clock, random, logger, registry } = options;
    this.#options = options;
    this.#kubeMetrics = options.kubeMetrics ?? declareKubeMetrics(registry);
    this.#linkMetrics = declareLinkMetrics(registry);
    this.#mirrorMetrics = declareMirrorMetrics(registry);
    this.#failoverMetrics = declareFailoverMetrics(registry);
    const shared = { client, clock, random, logger, metrics: this.#kubeMetrics };
    this.#links = new Reflector<Link>({
      ...shared,
      resource: RESOURCES.links,
      namespace: INSTALL_NAMESPACE,
      name: "links",
    });
    this.#secrets = new Reflector<Secret>({
      ...shared,
      resource: RESOURCES.secrets,
      namespace: INSTALL_NAMESPACE,
      name: "secrets",
      transform: dropManagedFields,
    });
    const { namespaces, retiredNamespaces } = options;
    this.#ownCluster = createOwnClusterCaches({ ...shared, namespaces, retiredNamespaces });
    this.#elector = new LeaderElector({
      ...shared,
      ...options.lease,
      client: options.leaseClient ?? client,
      namespace: INSTALL_NAMESPACE,
      name: LEADER_LEASE_NAME,
      identity: options.replica,
      onStartedLeading: async (signal) => await this.#lead(signal),
      onStoppedLeading: () => {
        if (!this.#stopping.signal.aborted) options.onLeadershipLost();
      },
    });
    this.#health = createHealthServer({
      ...options.health,
      registry,
      logger,
      ready: () => this.#notReady() ?? true,
    });
  }

  /** Port of the health endpoints, once started. */
  get healthPort(): number {
    return this.#health.port;
  }

  /** Whether this replica leads at this moment. */
  get leading(): boolean {
    return this.#elector.isLeader();
  }

  async start(signal: AbortSignal): Promise<void> {
    const stopping = AbortSignal.any([signal, this.#stopping.signal]);
    await this.#health.start(stopping);
    await Promise.all(this.#caches().map(async (cache) => await cache.start(stopping)));
    await Promise.all(this.#caches().map(async (cache) => await cache.waitForSync(stopping)));
    await this.#elector.start(stopping);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#elector.stop();
    await Promise.all(this.#caches().map(async (cache) => await cache.stop()));
    await this.#health.stop();
  }

  /** The leader's work, until `signal` aborts; resolves with whether every write of it was answered. */
  async #lead(signal: AbortSignal): Promise<boolean> {
    const { clusterName, namespaces, replica, clock, random, logger } = this.#options;
    const { foreignCertificates } = this.#options;
    const fence = new LeaderFence(() => this.#elector.isLeader());
    const client = fence.guard(this.#options.client);
    const events = new EventRecorder({
      client,
      reportingController: `isthmus.dev/${CONTROLLER_NAME}`,
      reportingInstance: replica,
      clock,
      logger,
      metrics: this.#kubeMetrics,
    });
    const shared = {
      client,
      links: this.#links,
      secrets: this.#secrets,
      ownCluster: clusterName,
      namespaces,
      foreignCertificates,
      providerTimeouts: this.#options.providerTimeouts,
      leading: () => this.#elector.isLeader(),
      events,
      clock,
      random,
      logger,
      kubeMetrics: this.#kubeMetrics,
      metrics: this.#linkMetrics,
    };
    const links = createLinkManager(shared);
    const mirrors = createMirrorController({
      client,
      caches: this.#ownCluster,
      links: links.views,
      linkObjects: this.#links.store,
      events,
      ownClusterName: clusterName,
      clock,
      random,
      logger,
      metrics: this.#mirrorMetrics,
      kubeMetrics: this.#kubeMetrics,
    });
    const failovers = createFailoverController({
      client,
      caches: this.#ownCluster,
      links: links.views,
      mirrors,
      events,
      ownClusterName: clusterName,
      clock,
      random,
      logger,
      metrics: this.#failoverMetrics,
      kubeMetrics: this.#kubeMetrics,
    });
    links.connect(new LinkFollowers(mirrors, failovers));
    const remote = {
      watcher: (name: string) => links.watcher(name),
      fence: (other: KubeClient) => fence.guard(other),
    };
    const peerBundles = new PeerBundles();
    const parts: Startable[] = [
      createIdentityKeeper({
        ...shared,
        clusterName,
        overlapMs: this.#options.caOverlapMs ?? DEFAULT_CA_OVERLAP_MS,
        monotonicMs,
        linksLacking: (certificatePem) =>
          peerBundles.lacking(linkNames(this.#links.store.list()), certificatePem),
        gatewayPods: () => this.#ownCluster.gatewayPods.store.list(),
      }),
      mirrors,
      failovers,
      links,
      createTokenRenewal({ ...shared, ...remote, monotonicMs }),
      createTrustFollowing({
        ...shared,
        ...remote,
        ownBundle: () => readOwnBundle(shared, clock.nowMs()),
        peerBundles,
      }),
    ];
    try {
      for (const part of parts) await part.start(signal);
      await untilAborted(signal);
    } finally {
      // A lost term is over; in one that is given up, what is on the wire may be answered.
      const graceMs = Math.max(0, Math.min(LAST_WRITES_MS, this.#elector.remainingMs()));
      if (graceMs === 0) fence.cut();
      const limit = new AbortController();
      const late = clock.sleep(graceMs, limit.signal).then(
        () => fence.cut(),
        () => {},
      );
      await Promise.all(parts.toReversed().map(async (part) => await part.stop()));
      // What was decided is told, unless the API server is slow to take it.
      await Promise.race([events.flush(), late]);
      limit.abort();
      await late;
    }
    return fence.settled;
  }

  #caches(): ObjectCache<KubeObject>[] {
    return [this.#links, this.#secrets, ...Object.values(this.#ownCluster)];
  }

  #notReady(): string | undefined {
    const unsynced = Object.entries({
      links: this.#links,
      secrets: this.#secrets,
      ...this.#ownCluster,
    }).filter(([, cache]) => !cache.synced);
    return unsynced.length === 0
      ? undefined
      : `not listed yet: ${unsynced.map(([name]) => name).join(", ")}`;
  }
}

function dropManagedFields(raw: KubeObject): Secret {
  const { managedFields: _dropped, ...metadata } = raw.metadata;
  return { ...raw, metadata };
}

function monotonicMs(): number {
  return performance.now();
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
