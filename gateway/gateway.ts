import type { Registry } from "prom-client";
import type { Clock, Random } from "../api/clock.ts";
import { errorMessage } from "../api/errors.ts";
import { INSTALL_NAMESPACE } from "../api/names.ts";
import type { Startable } from "../api/startable.ts";
import type { KubeClient } from "../kube/client/client.ts";
import { type HealthServer, createHealthServer } from "../kube/health-server.ts";
import type { Logger } from "../kube/logger.ts";
import { type KubeMetrics, declareKubeMetrics } from "../kube/metrics.ts";
import type { CertificateAndKey } from "../pki/authority.ts";
import { parseCertificate } from "../pki/certificate.ts";
import type { TrustedPeer } from "../pki/tls.ts";
import { ClusterWatch } from "./cluster-watch.ts";
import { Egress } from "./egress/egress.ts";
import type { GatewayNamesOptions } from "./egress/gateway-names.ts";
import { untilUnpublished } from "./egress/published-mirrors.ts";
import { type ForbidsTarget, forbidTargets } from "./ingress/forbidden-addresses.ts";
import { Ingress } from "./ingress/ingress.ts";
import { exchangeTokens } from "./join/exchange.ts";
import { DEFAULT_GATEWAY_LIMITS, type GatewayLimits } from "./limits/limits.ts";
import { Shares } from "./limits/shares.ts";
import { type GatewayMetrics, declareGatewayMetrics } from "./metrics.ts";
import { YoungGarbage } from "./stream/young-garbage.ts";
import { byName, joinUntilMs, leafOf, trustedPeerOf } from "./read-objects.ts";

export interface GatewayOptions {
  /** Of the gateway's own cluster; closed by whoever made it. */
  client: KubeClient;
  /** Where Links, Peers and the leaf are; isthmus-system when absent (tests share an API server). */
  namespace?: string;
  /** Where Services may be exported from, mirrored to and fail over; everywhere when absent. */
  namespaces?: readonly string[] | undefined;
  /** This cluster's own name. */
  clusterName: string;
  ports: { ingress: number; health: number };
  /** Where all of its ports are listened on; every address when absent. */
  host?: string;
  /** How the cluster's API server is reached from pods, and this pod's own addresses: no peer may go there. */
  neverReached?: readonly string[];
  /** Replaces the rule of which addresses are never connected to. */
  forbids?: ForbidsTarget;
  sessionsPerAddress?: number;
  /** A session to a remote gateway is replaced after about this long. */
  sessionMaxAgeMs?: number;
  /** How DNS names of remote gateways are looked up. */
  names?: GatewayNamesOptions;
  limits?: GatewayLimits;
  /** How long open streams go on after their Service was unexported. */
  unexportGraceMs?: number;
  /** How long listeners stay at least after a drain began, until kube-proxy has moved on. */
  drainDelayMs: number;
  /** How long after a drain began streams may go on. */
  drainDeadlineMs: number;
  /** By which addresses mirrors may name this gateway; none when absent. */
  publishedAddresses?: readonly string[];
  /** Collects the young generation of the heap; V8 alone decides when absent. */
  collectYoung?: (() => void) | undefined;
  clock: Clock;
  random: Random;
  logger: Logger;
  registry: Registry;
  /** Those that the client counts its requests in, declared on the registry; declared here when absent. */
  kubeMetrics?: KubeMetrics;
}

const DRAIN_POLL_MS = 50;
/** Of a drain, for as much of its deadline new connections are taken at most: they, too, need time to finish. */
const ACCEPTING_SHARE = 0.6;
/** A gateway is ready after this long, also when it cannot tell whether links are good. */
const SETTLE_LIMIT_MS = 10_000;
const UPDATE_INTERVAL_MS = 50;

/** The gateway: both roles, acting on what it watches in its own cluster. */
export class Gateway implements Startable {
  readonly #options: GatewayOptions;
  readonly #metrics: GatewayMetrics;
  readonly #watch: ClusterWatch;
  readonly #egress: Egress;
  readonly #ingress: Ingress;
  readonly #health: HealthServer;
  readonly #stopping = new AbortController();
  #leaf: CertificateAndKey | undefined;
  #updateQueued = false;
  #updatedAtMs = Number.NEGATIVE_INFINITY;
  #draining = false;
  #settled = false;
  /** When it began to listen. */
  #startedAtMs: number | undefined;

  constructor(options: GatewayOptions) {
    this.#options = options;
    const { registry, clock, logger } = options;
    this.#metrics = declareGatewayMetrics(registry);
    const limits = options.limits ?? DEFAULT_GATEWAY_LIMITS;
    const connections = new Shares({
      max: limits.maxConnections,
      holders: () => this.#watch.peers.store.list().length + this.#watch.links.store.list().length,
    });
    const { add: onCarried } = new YoungGarbage(options.collectYoung);
    const shared = { ...options, limits, connections, onCarried, metrics: this.#metrics };
    this.#watch = new ClusterWatch({
      client: options.client,
      namespace: options.namespace ?? INSTALL_NAMESPACE,
      namespaces: options.namespaces,
      clock,
      random: options.random,
      logger,
      metrics: options.kubeMetrics ?? declareKubeMetrics(registry),
    });
    const { protectedTargets } = this.#watch;
    protectedTargets.add(options.neverReached ?? []);
    this.#egress = new Egress({ ...shared, nowMs: () => clock.nowMs() });
    this.#ingress = new Ingress({
      ...shared,
      exchange: exchangeTokens(options),
      port: options.ports.ingress,
      view: {
        services: this.#watch.exports.store,
        endpoints: this.#watch.endpoints,
        forbids: options.forbids ?? forbidTargets((target) => protectedTargets.has(target)),
      },
    });
    this.#health = createHealthServer({
      port: options.ports.health,
      ...(options.host === undefined ? {} : { host: options.host }),
      registry,
      ready: () => this.ready(),
      logger,
    });
  }

  get ingressPort(): number {
    return this.#ingress.port;
  }

  get healthPort(): number {
    return this.#health.port;
  }

  /** Mirrored ports that accept connections now. */
  get openPorts(): number[] {
    return this.#egress.openPorts;
  }

  /** True, or the reason why it is not ready. */
  ready(): true | string {
    if (this.#draining) return "draining";
    const { unsynced } = this.#watch;
    if (unsynced.length > 0) return `not synced yet: ${unsynced.join(", ")}`;
    if (this.#leaf === undefined) return "no certificate yet";
    if (this.#startedAtMs === undefined) return "the ingress does not listen yet";
    return (
      this.#isSettled(this.#startedAtMs) ||
      `links not tried yet: ${this.#egress.untriedLinks.join(", ")}`
    );
  }

  /** Resolves when it has seen its cluster and listens; rejects when it cannot, or when `signal` aborts first. */
  async start(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => void this.stop(), { once: true });
    signal.throwIfAborted();
    const stopping = this.#stopping.signal;
    await this.#health.start(stopping);
    await this.#watch.start(stopping);
    this.#watch.onEgressChange(() => this.#queueUpdate());
    this.#watch.peers.onEvent(() => this.#updatePeers());
    this.#watch.exports.onEvent(({ key }) => this.#ingress.reviewExport(key));
    this.#updatePeers();
    this.#update();
    await this.#ingress.start();
    this.#startedAtMs = this.#options.clock.nowMs();
    this.#options.logger.info({ port: this.ingressPort }, "gateway ready");
  }

  /**
   * Ends without cutting anyone off: not ready at once; after the delay no new
   * connections, once mirrors name it no more; streams may finish until the
   * deadline. Then {@link stop}. One that has not begun to listen ends at once.
   */
  async drain(): Promise<void> {
    if (this.#draining) return;
    const { clock, drainDelayMs, drainDeadlineMs, logger } = this.#options;
    const signal = this.#stopping.signal;
    const startMs = clock.nowMs();
    this.#draining = true;
    this.#metrics.draining.set(1);
    if (this.#startedAtMs === undefined) {
      await this.stop();
      return;
    }
    this.#ingress.announceDrain();
    logger.info({ drainDelayMs, drainDeadlineMs }, "draining");
    try {
      const boundMs = Math.max(drainDelayMs, ACCEPTING_SHARE * drainDeadlineMs);
      await Promise.all([
        clock.sleep(drainDelayMs, signal),
        untilUnpublished(
          { ...this.#options, addresses: this.#options.publishedAddresses ?? [] },
          boundMs,
          signal,
        ),
      ]);
      this.#egress.stopAccepting();
      await this.#ingress.drain();
      while (this.#busy() && clock.nowMs() - startMs < drainDeadlineMs) {
        await clock.sleep(DRAIN_POLL_MS, signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    logger.info(
      { cut: this.#egress.activeConnections, durationMs: clock.nowMs() - startMs },
      "drained",
    );
    await this.stop();
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new DOMException("stopped", "AbortError"));
    this.#egress.destroy();
    this.#ingress.destroy();
    await Promise.all([this.#watch.stop(), this.#health.stop()]);
  }

  /** A replica that takes the place of another must not refuse what that one would carry. Once settled it stays so. */
  #isSettled(startedAtMs: number): boolean {
    const isLate = this.#options.clock.nowMs() - startedAtMs >= SETTLE_LIMIT_MS;
    this.#settled ||= isLate || this.#egress.untriedLinks.length === 0;
    return this.#settled;
  }

  #busy(): boolean {
    return this.#egress.activeConnections > 0 || this.#ingress.busy;
  }

  /** The first change of a burst is acted on at once, the rest of it together. */
  #queueUpdate(): void {
    if (this.#updateQueued) return;
    this.#updateQueued = true;
    const waitMs = this.#updatedAtMs + UPDATE_INTERVAL_MS - this.#options.clock.nowMs();
    const update = () => {
      this.#updateQueued = false;
      if (!this.#stopping.signal.aborted) this.#update();
    };
    if (waitMs > 0) setTimeout(update, waitMs).unref();
    else setImmediate(update);
  }

  #update(): void {
    this.#updatedAtMs = this.#options.clock.nowMs();
    this.#updateLeaf();
    this.#egress.update({
      links: this.#watch.links.store.list(),
      mirrors: this.#watch.mirrors.store.list(),
      leaf: this.#leaf,
    });
  }

  /** A Secret that cannot be used leaves the certificate before it in place; a missing one does not. */
  #updateLeaf(): void {
    const [secret] = this.#watch.leafSecret.store.list();
    this.#ingress.takeTokensUntil(secret === undefined ? 0 : joinUntilMs(secret));
    try {
      const leaf = secret === undefined ? undefined : leafOf(secret);
      if (
        leaf?.certificatePem === this.#leaf?.certificatePem &&
        leaf?.privateKeyPem === this.#leaf?.privateKeyPem
      ) {
        return;
      }
      const notAfterMs = leaf === undefined ? 0 : parseCertificate(leaf.certificatePem).notAfterMs;
      this.#ingress.setLeaf(leaf);
      this.#leaf = leaf;
      this.#metrics.leafNotAfter.set(notAfterMs / 1000);
      this.#options.logger.info({ notAfterMs }, leaf === undefined ? "leaf gone" : "leaf loaded");
    } catch (error) {
      this.#options.logger.error({ error: errorMessage(error) }, "leaf not usable");
    }
  }

  #updatePeers(): void {
    const { metrics, logger } = { metrics: this.#metrics, logger: this.#options.logger };
    const trusted: TrustedPeer[] = [];
    const problems = new Map<string, string>();
    // By name, so that every replica prefers the same one of two with one cluster's name.
    for (const peer of this.#watch.peers.store.list().toSorted(byName)) {
      try {
        trusted.push(trustedPeerOf(peer));
      } catch (error) {
        problems.set(peer.metadata.name, errorMessage(error));
      }
    }
    const refused = this.#ingress.setPeers(trusted);
    metrics.peerInvalid.reset();
    for (const [peer, message] of [...problems, ...refused]) {
      metrics.peerInvalid.set({ peer }, 1);
      logger.warn({ peer, message }, "peer not accepted");
    }
  }
}
