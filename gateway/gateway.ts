import type { Registry } from "prom-client";
import type { Clock, Random } from "../api/clock.ts";
import { errorMessage } from "../api/errors.ts";
import { INSTALL_NAMESPACE, peerServerName } from "../api/names.ts";
import type { Secret } from "../api/objects.ts";
import { type Peer, parsePeerSpec } from "../api/peer.ts";
import type { Startable } from "../api/startable.ts";
import type { KubeClient } from "../kube/client/client.ts";
import { type HealthServer, createHealthServer } from "../kube/health-server.ts";
import type { Logger } from "../kube/logger.ts";
import { declareKubeMetrics } from "../kube/metrics.ts";
import type { CertificateAndKey } from "../pki/authority.ts";
import { parseCertificate } from "../pki/certificate.ts";
import type { TrustedPeer } from "../pki/tls.ts";
import { ClusterWatch } from "./cluster-watch.ts";
import { Egress } from "./egress/egress.ts";
import type { Target } from "./ingress/endpoint-index.ts";
import { type ForbidsTarget, forbidTargets } from "./ingress/forbidden-addresses.ts";
import { Ingress, type IngressLimits } from "./ingress/ingress.ts";
import { type GatewayMetrics, declareGatewayMetrics } from "./metrics.ts";

export interface GatewayOptions {
  /** Of the gateway's own cluster; closed by whoever made it. */
  client: KubeClient;
  /** Where Links, Peers and the leaf are; isthmus-system when absent (tests share an API server). */
  namespace?: string;
  /** This cluster's own name. */
  clusterName: string;
  ports: { ingress: number; health: number };
  /** Where all of its ports are listened on; every address when absent. */
  host?: string;
  /** How the cluster's API server is reached from pods, which no peer may. */
  apiServer?: Target;
  /** Replaces the rule of which addresses are never connected to. */
  forbids?: ForbidsTarget;
  sessionsPerAddress?: number;
  limits?: IngressLimits;
  /** How long listeners stay after a drain began, until kube-proxy has moved on. */
  drainDelayMs: number;
  /** How long after a drain began streams may go on. */
  drainDeadlineMs: number;
  clock: Clock;
  random: Random;
  logger: Logger;
  registry: Registry;
}

const DRAIN_POLL_MS = 50;
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

  constructor(options: GatewayOptions) {
    this.#options = options;
    const { registry, clock, logger } = options;
    this.#metrics = declareGatewayMetrics(registry);
    const shared = { ...options, metrics: this.#metrics };
    this.#watch = new ClusterWatch({
      client: options.client,
      namespace: options.namespace ?? INSTALL_NAMESPACE,
      clock,
      random: options.random,
      logger,
      metrics: declareKubeMetrics(registry),
    });
    this.#egress = new Egress({ ...shared, nowMs: () => clock.nowMs() });
    this.#ingress = new Ingress({
      ...shared,
      port: options.ports.ingress,
      view: {
        services: this.#watch.exports.store,
        endpoints: this.#watch.endpoints,
        forbids: options.forbids ?? forbidTargets(() => this.#apiServers()),
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
    return this.#ingress.listening || "the ingress does not listen yet";
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
    this.#updatePeers();
    this.#update();
    await this.#ingress.start();
    this.#options.logger.info({ port: this.ingressPort }, "gateway ready");
  }

  /**
   * Ends without cutting anyone off: not ready at once; after the delay no new
   * connections; streams may finish until the deadline. Then {@link stop}.
   */
  async drain(): Promise<void> {
    if (this.#draining) return;
    const { clock, drainDelayMs, drainDeadlineMs, logger } = this.#options;
    const signal = this.#stopping.signal;
    const startMs = clock.nowMs();
    this.#draining = true;
    this.#metrics.draining.set(1);
    this.#ingress.announceDrain();
    logger.info({ drainDelayMs, drainDeadlineMs }, "draining");
    try {
      await clock.sleep(drainDelayMs, signal);
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

  #busy(): boolean {
    return this.#egress.activeConnections > 0 || this.#ingress.activeSessions > 0;
  }

  #apiServers(): Target[] {
    const own = this.#watch.endpoints.targets("default", "kubernetes", "https");
    return this.#options.apiServer === undefined ? own : [...own, this.#options.apiServer];
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

function trustedPeerOf(peer: Peer): TrustedPeer {
  const { clusterName, trustBundle, identity } = parsePeerSpec(peer);
  return {
    name: peer.metadata.name,
    serverName: peerServerName(clusterName),
    bundlePem: trustBundle,
    identity,
  };
}

function leafOf({ data = {} }: Secret): CertificateAndKey {
  const [certificatePem, privateKeyPem] = ["tls.crt", "tls.key"].map((key) =>
    Buffer.from(data[key] ?? "", "base64").toString("utf8"),
  );
  if (!certificatePem || !privateKeyPem) throw new Error("tls.crt or tls.key is missing");
  return { certificatePem, privateKeyPem };
}

function byName(one: Peer, other: Peer): number {
  return one.metadata.name < other.metadata.name ? -1 : 1;
}
