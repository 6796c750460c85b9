import { type ServerHttp2Session, constants } from "node:http2";
import type { TLSSocket } from "node:tls";
import type { Clock, Random } from "../../api/clock.ts";
import { consumerOfServerName } from "../../api/names.ts";
import type { Logger } from "../../kube/logger.ts";
import type { CertificateAndKey } from "../../pki/authority.ts";
import { PeerContexts, type TrustedPeer } from "../../pki/tls.ts";
import { JoinDoor } from "../join/join-door.ts";
import type { JoinServerOptions } from "../join/join-server.ts";
import type { GatewayMetrics } from "../metrics.ts";
import { BoundReports } from "../limits/bound-reports.ts";
import { DEFAULT_GATEWAY_LIMITS, type GatewayLimits } from "../limits/limits.ts";
import { Shares } from "../limits/shares.ts";
import { ignore } from "../stream/ignore.ts";
import { StreamAccounts } from "../stream/stream-accounts.ts";
import type { ClusterView } from "./authorize.ts";
import { ConsumerBounds } from "./consumer-bounds.ts";
import { ConsumerServer } from "./consumer-server.ts";
import { ConsumerSessions } from "./consumer-sessions.ts";
import { reapWhenDestroyed } from "../session/reap.ts";
import { OpenStreams } from "./open-streams.ts";
import { PathTests } from "./path-tests.ts";
import { type StreamContext, serveStream } from "./serve-stream.ts";

export interface IngressOptions {
  /** This cluster's own name, which the ready probe tells. */
  clusterName: string;
  port: number;
  /** Every address when absent. */
  host?: string | undefined;
  view: ClusterView;
  limits?: GatewayLimits;
  /** The connections of both roles; of the ingress alone when absent. */
  connections?: Shares;
  /** How long open streams go on after their Service was unexported, in ms; UNEXPORT_GRACE_MS when absent. */
  unexportGraceMs?: number | undefined;
  /** Exchanges join tokens; without it, no connection is ever looked at for one. */
  exchange?: JoinServerOptions["exchange"];
  /** So many bytes of a connection passed, in either direction. */
  onCarried?: (bytes: number) => void;
  clock: Clock;
  random: Random;
  logger: Logger;
  metrics: GatewayMetrics;
}

export const UNEXPORT_GRACE_MS = 10_000;
/** Streams under way when a drain is announced still arrive within this. */
const DRAIN_NOTICE_MS = 250;
/** Over this time all sessions are opened anew after a change of the certificate; shorter than any overlap of two CAs. */
const RENEWAL_SPREAD_MS = 5_000;
/** RFC 9113 section 6.8: a first GOAWAY with the largest id announces, without refusing anything yet. */
const LAST_STREAM_ID_ANY = 2 ** 31 - 1;

/**
 * The way in: accepts sessions of trusted peers and carries their CONNECT
 * streams to ready endpoints of exported Services.
 */
export class Ingress {
  readonly #options: IngressOptions;
  readonly #limits: GatewayLimits;
  readonly #reports: BoundReports;
  readonly #bounds: ConsumerBounds;
  readonly #contexts = new PeerContexts();
  readonly #sessions: ConsumerSessions;
  readonly #openStreams: OpenStreams;
  readonly #accounts: StreamAccounts;
  readonly #pathTests: PathTests;
  readonly #server: ConsumerServer;
  readonly #door: JoinDoor | undefined;
  #draining = false;
  #peerCount = 0;

  constructor(options: IngressOptions) {
    this.#options = options;
    const { view, clock, logger, metrics } = options;
    const nowMs = () => clock.nowMs();
    const limits = options.limits ?? DEFAULT_GATEWAY_LIMITS;
    this.#limits = limits;
    this.#pathTests = new PathTests({ clock });
    this.#reports = new BoundReports({ role: "ingress", metrics, logger, nowMs });
    const reports = this.#reports;
    const peers = () => this.#peerCount;
    this.#bounds = new ConsumerBounds({
      limits,
      connections:
        options.connections ?? new Shares({ max: limits.maxConnections, holders: peers }),
      peers,
      reports,
      nowMs,
      metrics,
    });
    this.#sessions = new ConsumerSessions({
      limits,
      bounds: this.#bounds,
      nowMs,
      onEnded: (consumer, why) => logger.info({ consumer, why }, "session ended"),
      reports,
      metrics,
    });
    this.#openStreams = new OpenStreams({
      services: view.services,
      graceMs: options.unexportGraceMs ?? UNEXPORT_GRACE_MS,
      clock,
    });
    this.#accounts = new StreamAccounts({
      ...options,
      role: "ingress",
      nowMs,
      knows: (_consumer, service) => view.services.get(service) !== undefined,
    });
    const { exchange } = options;
    const { handshakeTimeoutMs } = limits;
    this.#door =
      exchange && new JoinDoor({ exchange, handshakeTimeoutMs, reports, nowMs, logger, metrics });
    this.#server = new ConsumerServer({
      contexts: this.#contexts,
      route: this.#door && ((socket, toPeers) => this.#door?.route(socket, toPeers)),
      limits,
      reports,
      onSession: (session, socket) => this.#accept(session, socket),
      nowMs,
      logger,
      metrics,
    });
  }

  /** The port it listens on; 0 while it does not. */
  get port(): number {
    return this.#server.port;
  }

  get listening(): boolean {
    return this.#server.listening;
  }

  /** Sessions open now. */
  get activeSessions(): number {
    return this.#sessions.all.length;
  }

  /** Whether a drain has to wait: for a session, or for somebody whose join token is used up already. */
  get busy(): boolean {
    return this.activeSessions > 0 || (this.#door?.exchanging ?? 0) > 0;
  }

  /**
   * The certificate shown from the next handshake on; without one, none
   * succeeds. Sessions that were shown another are asked to be opened anew, one
   * after the other, so that none rests on a CA that a rotation drops and each
   * consumer has one to use all the while. Throws when it does not load.
   */
  setLeaf(leaf: CertificateAndKey | undefined): void {
    this.#contexts.setLeaf(leaf);
    this.#door?.setLeaf(leaf);
    if (leaf !== undefined) void this.#renewSessions();
  }

  /**
   * Who may connect. Sessions of those who no longer may end at once. Returns,
   * by peer name, why peers were left out.
   */
  setPeers(peers: readonly TrustedPeer[]): Map<string, string> {
    const refused = this.#contexts.setPeers(peers);
    const byConsumer = new Map<string, TrustedPeer>();
    for (const peer of peers) {
      const consumer = consumerOfServerName(peer.serverName);
      if (consumer !== undefined && !refused.has(peer.name)) byConsumer.set(consumer, peer);
    }
    this.#peerCount = byConsumer.size;
    this.#sessions.revoke(byConsumer);
    return refused;
  }

  /** Takes join tokens until then, in epoch ms; 0: not at all. */
  takeTokensUntil(untilMs: number): void {
    this.#door?.openUntil(untilMs);
  }

  /** Call it when what is exported of `namespace/name` may have changed: streams that it admits no more end. */
  reviewExport(service: string): void {
    this.#openStreams.review(service);
    this.#accounts.forget();
  }

  /** Listens. Rejects when it cannot. */
  async start(): Promise<void> {
    await this.#server.listen(this.#options.port, this.#options.host);
    this.#bounds.start();
  }

  /** From now on, the ready probe tells that it drains. */
  announceDrain(): void {
    this.#draining = true;
  }

  /** Accepts no more connections, and asks every session for no more streams; those open may finish. */
  async drain(): Promise<void> {
    this.announceDrain();
    this.#server.close();
    await this.#sendAway(this.#sessions.all);
    for (const session of this.#sessions.all) session.close();
  }

  /** Ends everything at once. */
  destroy(): void {
    this.announceDrain();
    this.#server.close();
    this.#openStreams.stop();
    this.#bounds.stop();
    this.#door?.destroy();
    this.#sessions.destroy();
  }

  async #renewSessions(): Promise<void> {
    const { clock, random } = this.#options;
    const sessions = this.#sessions.all
      .map((session) => ({ session, turn: random() }))
      .toSorted((one, other) => one.turn - other.turn);
    for (const { session } of sessions) {
      void this.#sendAway([session]);
      await clock.sleep(RENEWAL_SPREAD_MS / sessions.length);
      if (this.#draining) return;
    }
  }

  /** Asks sessions for no more streams, and ends each with the last of those it has. */
  async #sendAway(sessions: readonly ServerHttp2Session[]): Promise<void> {
    const open = sessions.filter((session) => !session.destroyed);
    for (const session of open) {
      session.goaway(constants.NGHTTP2_NO_ERROR, LAST_STREAM_ID_ANY);
    }
    await this.#options.clock.sleep(DRAIN_NOTICE_MS);
    for (const session of open) session.close();
  }

  #accept(session: ServerHttp2Session, socket: TLSSocket): void {
    reapWhenDestroyed(session, socket);
    // Before all else, and in a session that is refused, too: a stream may fail before anything looks at it.
    session.on("stream", (stream) => stream.on("error", ignore));
    session.on("error", (error) => {
      this.#options.logger.debug({ error: error.message }, "ingress session failed");
    });
    const verdict = this.#contexts.verify(socket);
    const consumer = verdict.ok ? consumerOfServerName(verdict.peer.serverName) : undefined;
    if (consumer === undefined) {
      this.#server.refuse("NotAuthorized", verdict.ok ? "not a peer's name" : verdict.message);
      session.destroy();
      return;
    }
    if (!this.#sessions.add(consumer, session, socket)) {
      this.#server.refuse("TooManySessions", `consumer ${consumer} has too many sessions`);
      session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
      // Not before that was said.
      setImmediate(() => session.destroy());
      return;
    }
    const context: StreamContext = {
      ...this.#options,
      consumer,
      draining: () => this.#draining,
      dialTimeoutMs: this.#limits.endpointConnectTimeoutMs,
      onDialTimeout: () => this.#reports.reached("EndpointConnectTimeout", consumer),
      onCarry: (stream, target) => this.#bounds.carry(consumer, stream, target),
      openStreams: this.#openStreams,
      accounts: this.#accounts,
      pathTests: this.#pathTests,
    };
    session.on("stream", (stream, headers) => {
      const isConnect = headers[":method"] === "CONNECT";
      if (this.#bounds.admitStream(consumer, stream, isConnect)) {
        void serveStream(stream, headers, context);
      }
    });
  }
}
