import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { Registry } from "prom-client";
import type { Startable } from "../api/startable.ts";
import type { Logger } from "./logger.ts";

/** true, or the reason why not. */
type Check = () => true | string;

export interface HealthServerOptions {
  /** 0 for any free one. */
  port: number;
  /** All addresses when absent. */
  host?: string;
  registry: Registry;
  ready: Check;
  healthy?: Check;
  logger: Logger;
}

export interface HealthServer extends Startable {
  /** The port it listens on, once started. */
  readonly port: number;
}

/**
 * Serves `/metrics`, `/healthz` and `/readyz`; a check that fails is a 503
 * with its reason as the body.
 */
export function createHealthServer(options: HealthServerOptions): HealthServer {
  return new HttpHealthServer(options);
}

class HttpHealthServer implements HealthServer {
  readonly #options: HealthServerOptions;
  readonly #server: Server;

  constructor(options: HealthServerOptions) {
    this.#options = options;
    this.#server = createServer({ requestTimeout: 10_000, headersTimeout: 5000 });
    this.#server.on("request", (request, response) => {
      void this.#answer(request.method ?? "", request.url ?? "", response);
    });
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : this.#options.port;
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { port, host } = this.#options;
    this.#server.listen({ port, ...(host !== undefined && { host }) });
    await once(this.#server, "listening");
    this.#server.on("error", (error) =>
      this.#options.logger.error({ err: error }, "health server"),
    );
    signal.addEventListener("abort", () => void this.stop(), { once: true });
    if (signal.aborted) await this.stop();
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(method: string, url: string, response: ServerResponse): Promise<void> {
    if (method !== "GET" && method !== "HEAD") {
      send(response, 405, "only GET");
      return;
    }
    const { registry, ready, healthy = () => true } = this.#options;
    switch (url.replace(/\?.*/, "")) {
      case "/metrics":
        await this.#sendMetrics(registry, response);
        return;
      case "/healthz":
        sendCheck(response, healthy());
        return;
      case "/readyz":
        sendCheck(response, ready());
        return;
      default:
        send(response, 404, "not found");
    }
  }

  async #sendMetrics(registry: Registry, response: ServerResponse): Promise<void> {
    try {
      const text = await registry.metrics();
      response.setHeader("content-type", registry.contentType);
      response.end(text);
    } catch (error) {
      this.#options.logger.error({ err: error }, "metrics not collected");
      send(response, 500, "metrics not collected");
    }
  }
}

function sendCheck(response: ServerResponse, result: true | string): void {
  if (result === true) send(response, 200, "ok");
  else send(response, 503, result);
}

function send(response: ServerResponse, statusCode: number, text: string): void {
  response.writeHead(statusCode, { "content-type": "text/plain; charset=utf-8" });
  response.end(`${text}\n`);
}
