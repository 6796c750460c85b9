import { once } from "node:events";
import { type Http2SecureServer, type ServerHttp2Session, createSecureServer } from "node:http2";
import { type Server, type Socket, createServer } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Logger } from "../../kube/logger.ts";
import type { PeerContexts } from "../../pki/tls.ts";
import type { BoundReports } from "../limits/bound-reports.ts";
import { Handshakes } from "../limits/handshakes.ts";
import { BURST_SECONDS, type GatewayLimits } from "../limits/limits.ts";
import { LogThrottle } from "../limits/log-throttle.ts";
import { sessionOptions, sessionSettings } from "../limits/session-guard.ts";
import type { GatewayMetrics } from "../metrics.ts";
import { SESSION_KEEP_ALIVE_MS } from "../session/session-limits.ts";

export interface ConsumerServerOptions {
  contexts: PeerContexts;
  /** Sees each connection first, and calls `toPeers` with those that it does not take over itself; none is seen when absent. */
  route?: ((socket: Socket, toPeers: () => void) => void) | undefined;
  limits: GatewayLimits;
  reports: BoundReports;
  /** A client has passed the handshake of one of our peers. */
  onSession: (session: ServerHttp2Session, socket: TLSSocket) => void;
  nowMs: () => number;
  logger: Logger;
  metrics: GatewayMetrics;
}

/** Where consumers connect: TCP, handshake within bounds, and an HTTP/2 session. */
export class ConsumerServer {
  readonly #options: ConsumerServerOptions;
  readonly #http: Http2SecureServer;
  /** Its own, so that it can stop accepting without touching sessions. */
  readonly #listener: Server;
  readonly #throttle: LogThrottle;

  constructor(options: ConsumerServerOptions) {
    const { contexts, limits, reports, onSession, nowMs, metrics } = options;
    const route = options.route ?? ((_socket, toPeers) => toPeers());
    this.#options = options;
    this.#throttle = new LogThrottle(nowMs);
    const handshakes = new Handshakes({
      max: limits.maxHandshakes,
      onGivenUp: (address) => reports.reached("Handshakes", "", { address }),
      onCount: (count) => metrics.handshakes.set(count),
    });
    this.#http = createSecureServer({
      ...contexts.serverOptions(limits),
      settings: {
        ...sessionSettings(limits),
        maxConcurrentStreams: limits.maxStreamsPerSession,
      },
      ...sessionOptions(limits),
      streamResetBurst: limits.maxResetsPerSecond * BURST_SECONDS,
      streamResetRate: limits.maxResetsPerSecond,
    });
    // The session over it is told of right after; its own `socket` is a proxy that cannot be destroyed.
    let arrived: TLSSocket | undefined;
    this.#http.prependListener("secureConnection", (socket: TLSSocket) => {
      handshakes.done(socket);
      arrived = socket;
    });
    this.#http.on("session", (session: ServerHttp2Session) => {
      if (arrived === undefined) session.destroy();
      else onSession(session, arrived);
    });
    this.#http.on("tlsClientError", (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      // A certificate that does not pass is only told by the socket; the error is then a "socket hang up".
      const { authorizationError: problem } = socket;
      if (error.code === "ERR_TLS_HANDSHAKE_TIMEOUT") reports.reached("HandshakeTimeout", "");
      if (problem) this.refuse(String(problem), "the client's certificate is not accepted");
      else this.refuse(error.code ?? "Handshake", error.message);
      socket.destroy();
    });
    this.#http.on("unknownProtocol", (socket) => {
      this.refuse("UnknownProtocol", "the client did not ask for HTTP/2");
      socket.destroy();
    });
    this.#listener = createServer(
      { noDelay: true, keepAlive: true, keepAliveInitialDelay: SESSION_KEEP_ALIVE_MS },
      (socket) => {
        handshakes.begin(socket);
        route(socket, () => void this.#http.emit("connection", socket));
      },
    );
  }

  /** The port it listens on; 0 while it does not. */
  get port(): number {
    const address = this.#listener.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  get listening(): boolean {
    return this.#listener.listening;
  }

  /** Listens. Rejects when it cannot. */
  async listen(port: number, host: string | undefined): Promise<void> {
    this.#listener.listen({ port, host, backlog: 1024 });
    await once(this.#listener, "listening");
    this.#listener.on("error", (error) => {
      this.#options.logger.error({ error: error.message }, "ingress listener");
    });
  }

  /** Accepts no more connections; sessions live on. */
  close(): void {
    this.#listener.close();
  }

  /** Counts a connection that does not become a session, and tells of the first of many. */
  refuse(reason: string, message: string): void {
    const { metrics, logger } = this.#options;
    metrics.ingressRefused.inc({ reason });
    const unlogged = this.#throttle.unlogged(reason);
    if (unlogged !== undefined) logger.info({ reason, message, unlogged }, "connection refused");
  }
}
