import { once } from "node:events";
import {
  type Http2SecureServer,
  type ServerHttp2Session,
  constants,
  createSecureServer,
} from "node:http2";
import { type Server, createServer } from "node:net";
import { TLSSocket } from "node:tls";
import type { Clock, Random } from "../../api/clock.ts";
import { consumerOfServerName } from "../../api/names.ts";
import type { Logger } from "../../kube/logger.ts";
import type { CertificateAndKey } from "../../pki/authority.ts";
import { PeerContexts, type TrustedPeer } from "../../pki/tls.ts";
import type { GatewayMetrics } from "../metrics.ts";
import {
  HEADER_LIST_BYTES,
  HEADER_PAIRS,
  SESSION_KEEP_ALIVE_MS,
  SESSION_MEMORY_MB,
  SESSION_WINDOW_BYTES,
  STREAMS_PER_SESSION,
  STREAM_RESETS_PER_SECOND,
  STREAM_RESET_BURST,
  STREAM_WINDOW_BYTES,
} from "../session/session-limits.ts";
import type { ClusterView } from "./authorize.ts";
import {
  CONSUMER_PING_TIMES,
  ConsumerSessions,
  type ConsumerSessionsOptions,
} from "./consumer-sessions.ts";
import { serveStream } from "./serve-stream.ts";

/** What the ingress takes from each and all consumers at most. */
export interface IngressLimits {
  sessionsPerConsumer: number;
  streamsPerSession: number;
  /** TCP connections, with those still in their handshake. */
  connections: number;
  handshakeTimeoutMs: number;
  /** For each of the two endpoints that are tried. */
  dialTimeoutMs: number;
}

export const DEFAULT_INGRESS_LIMITS: IngressLimits = {
  sessionsPerConsumer: 256,
  streamsPerSession: STREAMS_PER_SESSION,
  connections: 4096,
  handshakeTimeoutMs: 5000,
  dialTimeoutMs: 5000,
};

export interface IngressOptions {
  /** This cluster's own name, which the ready probe tells. */
  clusterName: string;
  port: number;
  /** Every address when absent. */
  host?: string | undefined;
  view: ClusterView;
  limits?: IngressLimits;
  /** How silent consumers are found, in ms; CONSUMER_PING_TIMES when absent. */
  pingTimes?: ConsumerSessionsOptions["pingTimes"];
  clock: Clock;
  random: Random;
  logger: Logger;
  metrics: GatewayMetrics;
}

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
  readonly #limits: IngressLimits;
  readonly #contexts = new PeerContexts();
  readonly #sessions: ConsumerSessions;
  readonly #http: Http2SecureServer;
  /** Its own, so that it can stop accepting without touching sessions. */
  readonly #listener: Server;
  #draining = false;

  constructor(options: IngressOptions) {
    this.#options = options;
    this.#limits = options.limits ?? DEFAULT_INGRESS_LIMITS;
    this.#sessions = new ConsumerSessions({
      maxPerConsumer: this.#limits.sessionsPerConsumer,
      pingTimes: options.pingTimes ?? CONSUMER_PING_TIMES,
      nowMs: () => options.clock.nowMs(),
      onEnded: (consumer, why) => options.logger.info({ consumer, why }, "session ended"),
      metrics: options.metrics,
    });
    this.#http = createSecureServer({
      ...this.#contexts.serverOptions(this.#limits),
      settings: {
        initialWindowSize: STREAM_WINDOW_BYTES,
        maxConcurrentStreams: this.#limits.streamsPerSession,
        maxHeaderListSize: HEADER_LIST_BYTES,
      },
      maxHeaderListPairs: HEADER_PAIRS,
      maxSessionMemory: SESSION_MEMORY_MB,
      streamResetBurst: STREAM_RESET_BURST,
      streamResetRate: STREAM_RESETS_PER_SECOND,
    });
    this.#http.on("session", (session: ServerHttp2Session) => this.#accept(session));
    this.#http.on("tlsClientError", (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      // A certificate that does not pass is only told by the socket; the error is then a "socket hang up".
      const { authorizationError: problem } = socket;
      if (problem) this.#refuse(String(problem), "the client's certificate is not accepted");
      else this.#refuse(error.code ?? "Handshake", error.message);
      socket.destroy();
    });
    this.#http.on("unknownProtocol", (socket) => {
      this.#refuse("UnknownProtocol", "the client did not ask for HTTP/2");
      socket.destroy();
    });
    this.#listener = createServer(
      { noDelay: true, keepAlive: true, keepAliveInitialDelay: SESSION_KEEP_ALIVE_MS },
      (socket) => this.#http.emit("connection", socket),
    );
    this.#listener.maxConnections = this.#limits.connections;
  }

  /** The port it listens on; 0 while it does not. */
  get port(): number {
    const address = this.#listener.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  get listening(): boolean {
    return this.#listener.listening;
  }

  /** Sessions open now. */
  get activeSessions(): number {
    return this.#sessions.all.length;
  }

  /**
   * The certificate shown from the next handshake on; without one, none
   * succeeds. Sessions that were shown another are asked to be opened anew, one
   * after the other, so that none rests on a CA that a rotation drops and each
   * consumer has one to use all the while. Throws when it does not load.
   */
  setLeaf(leaf: CertificateAndKey | undefined): void {
    this.#contexts.setLeaf(leaf);
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
    this.#sessions.revoke(byConsumer);
    return refused;
  }

  /** Listens. Rejects when it cannot. */
  async start(): Promise<void> {
    this.#listener.listen({ port: this.#options.port, host: this.#options.host, backlog: 1024 });
    await once(this.#listener, "listening");
    this.#listener.on("error", (error) => {
      this.#options.logger.error({ error: error.message }, "ingress listener");
    });
  }

  /** From now on, the ready probe says no. */
  announceDrain(): void {
    this.#draining = true;
  }

  /** Accepts no more connections, and asks every session for no more streams; those open may finish. */
  async drain(): Promise<void> {
    this.announceDrain();
    this.#listener.close();
    await this.#sendAway(this.#sessions.all);
    for (const session of this.#sessions.all) session.close();
  }

  /** Ends everything at once. */
  destroy(): void {
    this.announceDrain();
    this.#listener.close();
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

  #accept(session: ServerHttp2Session): void {
    session.on("error", (error) => {
      this.#options.logger.debug({ error: error.message }, "ingress session failed");
    });
    const { socket } = session;
    const verdict =
      socket instanceof TLSSocket
        ? this.#contexts.verify(socket)
        : { ok: false as const, message: "not TLS" };
    const consumer = verdict.ok ? consumerOfServerName(verdict.peer.serverName) : undefined;
    if (!(socket instanceof TLSSocket) || consumer === undefined) {
      this.#refuse("NotAuthorized", verdict.ok ? "not a peer's name" : verdict.message);
      session.destroy();
      return;
    }
    if (!this.#sessions.add(consumer, session, socket)) {
      this.#refuse("TooManySessions", `consumer ${consumer} has too many sessions`);
      session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
      return;
    }
    session.setLocalWindowSize(SESSION_WINDOW_BYTES);
    const { clusterName, view, random, clock, logger, metrics } = this.#options;
    session.on("stream", (stream, headers) => {
      void serveStream(stream, headers, {
        consumer,
        clusterName,
        draining: this.#draining,
        view,
        dialTimeoutMs: this.#limits.dialTimeoutMs,
        random,
        clock,
        logger,
        metrics,
      });
    });
  }

  #refuse(reason: string, message: string): void {
    this.#options.metrics.ingressRefused.inc({ reason });
    this.#options.logger.info({ reason, message }, "connection refused");
  }
}
