import { type Server, type Socket, createServer } from "node:net";
import type { Logger } from "../../kube/logger.ts";
import type { GatewayMetrics } from "../metrics.ts";
import { KEEP_ALIVE_MS } from "../stream/tunnel.ts";

const RETRY_MS = 1000;

/**
 * Listening sockets by port, opened and closed to match what is wanted. A
 * closed one is closed in the kernel at once, which then refuses by itself
 * and resets what it had not handed over yet; connections accepted before
 * live on.
 */
export class PortListeners {
  readonly #servers = new Map<number, Server>();
  readonly #retries = new Map<number, NodeJS.Timeout>();
  readonly #host: string | undefined;
  readonly #onConnection: (port: number, socket: Socket) => void;
  readonly #metrics: GatewayMetrics;
  readonly #logger: Logger;

  /** Without `host`, listens on every address of both families the machine has. */
  constructor(options: {
    host: string | undefined;
    onConnection: (port: number, socket: Socket) => void;
    metrics: GatewayMetrics;
    logger: Logger;
  }) {
    this.#host = options.host;
    this.#onConnection = options.onConnection;
    this.#metrics = options.metrics;
    this.#logger = options.logger;
  }

  /** Ports that accept connections now. */
  get ports(): number[] {
    return [...this.#servers].filter(([, server]) => server.listening).map(([port]) => port);
  }

  /** Listens on exactly these ports; a port that cannot be had is tried again each second. */
  set(ports: ReadonlySet<number>): void {
    for (const [port, timer] of this.#retries) {
      if (ports.has(port)) continue;
      clearTimeout(timer);
      this.#retries.delete(port);
    }
    for (const [port, server] of this.#servers) {
      if (ports.has(port)) continue;
      this.#servers.delete(port);
      server.close();
    }
    for (const port of ports) {
      if (!this.#servers.has(port) && !this.#retries.has(port)) this.#listen(port);
    }
  }

  #listen(port: number): void {
    const server = createServer(
      // Nothing is read before the remote has accepted the stream.
      {
        allowHalfOpen: true,
        pauseOnConnect: true,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: KEEP_ALIVE_MS,
      },
      (socket) => this.#onConnection(port, socket),
    );
    this.#servers.set(port, server);
    server.on("error", (error: NodeJS.ErrnoException) => {
      if (this.#servers.get(port) !== server) return;
      this.#servers.delete(port);
      this.#metrics.listenErrors.inc({ code: error.code ?? "unknown" });
      this.#logger.warn({ port, error: error.message }, "cannot listen on an egress port");
      const retry = () => {
        this.#retries.delete(port);
        this.#listen(port);
      };
      this.#retries.set(port, setTimeout(retry, RETRY_MS));
    });
    server.listen({ port, host: this.#host, backlog: 1024 });
  }
}
