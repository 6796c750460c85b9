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
import { Reflector } from "../kube/reflector/reflector.ts";
import { createIdentityKeeper, readOwnBundle } from "./identity/identity.ts";
import { fenceWrites } from "./leader-fence.ts";
import { createLinkManager } from "./link/link.ts";
import { createTokenRenewal } from "./link/credentials/token-renewal.ts";
import { createTrustFollowing } from "./link/trust-following/trust-following.ts";
import { declareLinkMetrics, type LinkMetrics } from "./metrics.ts";
import { createMirrorCaches, type MirrorCaches } from "./mirror/caches.ts";
import { declareMirrorMetrics, type MirrorMetrics } from "./mirror/metrics.ts";
import { createMirrorController } from "./mirror/mirror.ts";

const LAST_EVENTS_MS = 1_000;

export interface IsthmusControllerOptions {
  /** Of the own cluster; closed by whoever made it. */
  client: KubeClient;
  /** This cluster's name among its peers. */
  clusterName: string;
  /** Unique to this replica: the name of its Pod. */
  replica: string;
  health: { port: number; host?: string };
  lease?: Pick<LeaderElectorOptions, "leaseDurationMs" | "renewDeadlineMs" | "retryPeriodMs">;
  clock: Clock;
  random: Random;
  logger: Logger;
  registry: Registry;
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
  readonly #links: Reflector<Link>;
  readonly #secrets: Reflector<Secret>;
  readonly #mirrorCaches: MirrorCaches;
  readonly #elector: LeaderElector;
  readonly #health: HealthServer;
  readonly #stopping = new AbortController();

  constructor(options: IsthmusControllerOptions) {
    const { client, clock, random, logger, registry } = options;
    this.#options = options;
    this.#kubeMetrics = declareKubeMetrics(registry);
    this.#linkMetrics = declareLinkMetrics(registry);
    this.#mirrorMetrics = declareMirrorMetrics(registry);
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
    this.#mirrorCaches = createMirrorCaches(shared);
    this.#elector = new LeaderElector({
      ...shared,
      ...options.lease,
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

  /** The leader's work, until `signal` aborts. */
  async #lead(signal: AbortSignal): Promise<void> {
    const { clusterName, replica, clock, random, logger } = this.#options;
    const client = fenceWrites(this.#options.client, () => this.#elector.isLeader());
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
      caches: this.#mirrorCaches,
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
    links.connect(mirrors);
    const watcher = (name: string) => links.watcher(name);
    const parts: Startable[] = [
      createIdentityKeeper({ ...shared, clusterName }),
      mirrors,
      links,
      createTokenRenewal({ ...shared, watcher }),
      createTrustFollowing({
        ...shared,
        watcher,
        ownBundle: () => readOwnBundle(this.#secrets, clock.nowMs()),
      }),
    ];
    try {
      for (const part of parts) await part.start(signal);
      await untilAborted(signal);
    } finally {
      await Promise.all(parts.toReversed().map(async (part) => await part.stop()));
      // What was decided is told, unless the API server is slow to take it.
      const limit = new AbortController();
      const late = clock.sleep(LAST_EVENTS_MS, limit.signal).catch(() => {});
      await Promise.race([events.flush(), late]);
      limit.abort();
    }
  }

  #caches(): Reflector<KubeObject>[] {
    return [this.#links, this.#secrets, ...Object.values(this.#mirrorCaches)];
  }

  #notReady(): string | undefined {
    const unsynced = Object.entries({
      links: this.#links,
      secrets: this.#secrets,
      ...this.#mirrorCaches,
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

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
