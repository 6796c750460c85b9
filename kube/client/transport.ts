import type { KubeConfig } from "@kubernetes/client-node";
import type { Dispatcher } from "undici";
import type { Clock } from "../../api/clock.ts";
import { errorMessage } from "../../api/errors.ts";
import type { Resource } from "../../api/resources.ts";
import { ApiError, KubeConnectionError, NotSentError, toConnectionError } from "./api-error.ts";
import { callBeforeSend } from "./before-send.ts";
import type { Connection } from "./connections.ts";
import { CredentialSource, type Credentials, type TlsMaterial } from "./credentials.ts";
import type { KubeMetrics } from "../metrics.ts";
import { createPools, type Pools } from "./pools.ts";
import { apiErrorOf, foreignAnswer, parseJson, readStart, readText } from "./response.ts";
import { withTimeout } from "./timeout-signal.ts";

export interface TransportOptions {
  requestTimeoutMs: number;
  userAgent: string;
  maxResponseBytes: number;
  connections: number;
  metrics: KubeMetrics | undefined;
  clock: Clock;
}

export interface TransportRequest {
  method: Dispatcher.HttpMethod;
  /** For metrics. */
  verb: string;
  resource?: Resource;
  path: string;
  query?: object;
  body?: unknown;
  contentType?: string;
  accept?: string;
  signal?: AbortSignal;
  timeoutMs?: number;
  /** Called with the answer before it is parsed. */
  onText?: (text: string) => void;
  beforeSend?: () => void;
}

const MAX_ERROR_BYTES = 64 * 1024;

/** HTTP/1.1 to one API server over few, kept-open connections; watches have their own. */
export class Transport {
  readonly server: string;
  readonly maxResponseBytes: number;
  readonly #origin: string;
  readonly #basePath: string;
  readonly #proxyUrl: string | undefined;
  readonly #options: TransportOptions;
  readonly #credentials: CredentialSource;
  #pools: (Pools & { tls: string }) | undefined;
  #closed = false;

  /** @throws Error when the config has no current cluster or its server is no URL */
  constructor(config: KubeConfig, options: TransportOptions) {
    const cluster = config.getCurrentCluster();
    if (cluster === null) throw new Error("the kubeconfig has no current context with a cluster");
    const url = new URL(cluster.server);
    this.server = cluster.server;
    this.maxResponseBytes = options.maxResponseBytes;
    this.#origin = url.origin;
    this.#basePath = url.pathname.replace(/\/+$/, "");
    this.#proxyUrl = cluster.proxyUrl;
    this.#options = options;
    this.#credentials = new CredentialSource(config, options.clock);
  }

  /** Sends a request and returns its parsed answer, or its text when `text/plain` was asked for. */
  async send(request: TransportRequest): Promise<unknown> {
    const { clock, metrics } = this.#options;
    const startedMs = clock.nowMs();
    const limit = withTimeout(request.signal, request.timeoutMs ?? this.#options.requestTimeoutMs);
    try {
      const { headers, pools } = await this.#ready(limit.signal);
      return await pools.requests.run(async (connection) => {
        const response = await this.#dispatchOver(connection, request, headers, limit.signal);
        const answer = await this.#read(response, request, limit.signal);
        this.#count(request, response.statusCode);
        return answer;
      });
    } catch (error) {
      throw this.#counted(this.#asThrown(error, request, limit.timedOut()), request);
    } finally {
      limit.dispose();
      const seconds = Math.max(0, clock.nowMs() - startedMs) / 1000;
      metrics?.requestSeconds.observe({ verb: request.verb }, seconds);
    }
  }

  /** Opens a watch: resolves with the body once the head has arrived; the body has no time limit. */
  async stream(
    request: TransportRequest & { signal: AbortSignal },
  ): Promise<AsyncIterable<Buffer>> {
    try {
      const ready = await this.#ready(request.signal);
      const { watches } = ready.pools;
      const response = await this.#dispatch(watches, request, ready.headers, request.signal);
      const { body } = response;
      const contentType = String(response.headers["content-type"] ?? "");
      if (!contentType.includes("json")) {
        body.on("error", () => {}).destroy();
        throw this.invalidResponse(
          `${this.#describe(request)} answered ${contentType || "no type"}`,
        );
      }
      this.#count(request, response.statusCode);
      return this.#pieces(body, request);
    } catch (error) {
      throw this.#counted(this.#asThrown(error, request, false), request);
    }
  }

  /** An answer that cannot be of a Kubernetes API server. */
  invalidResponse(detail: string): KubeConnectionError {
    return new KubeConnectionError({ code: "INVALID_RESPONSE", server: this.server, detail });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const pools = this.#pools;
    this.#pools = undefined;
    await Promise.all([pools?.requests.destroy(), pools?.watches.destroy()]);
  }

  async *#pieces(body: AsyncIterable<Buffer>, request: TransportRequest): AsyncGenerator<Buffer> {
    try {
      yield* body;
    } catch (error) {
      throw this.#asThrown(error, request, false);
    }
  }

  async #ready(signal: AbortSignal): Promise<{ headers: Credentials["headers"]; pools: Pools }> {
    signal.throwIfAborted();
    const { headers, tls } = await this.#readCredentials();
    return { headers, pools: this.#poolsFor(tls) };
  }

  /** A write that is given up after it was sent takes its connection along, lest it arrive later. */
  async #dispatchOver(
    connection: Connection,
    request: TransportRequest,
    credentials: Credentials["headers"],
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const { dispatcher } = connection;
    if (request.method === "GET") {
      return await this.#dispatch(dispatcher, request, credentials, signal);
    }
    let sent = false;
    const noticing = dispatcher.compose(
      callBeforeSend(() => {
        request.beforeSend?.();
        sent = true;
      }),
    );
    const reset = (): void => void (sent && connection.reset());
    // Before undici's own listener, which closes the connection in the ordinary way.
    signal.addEventListener("abort", reset, { once: true });
    try {
      return await this.#dispatch(noticing, request, credentials, signal);
    } finally {
      signal.removeEventListener("abort", reset);
    }
  }

  async #dispatch(
    dispatcher: Dispatcher,
    request: TransportRequest,
    credentials: Credentials["headers"],
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const response = await dispatcher.request({
      origin: this.#origin,
      method: request.method,
      path: `${this.#basePath}${request.path}${queryString(request.query)}`,
      headers: {
        ...credentials,
        accept: request.accept ?? "application/json",
        "user-agent": this.#options.userAgent,
        ...(request.body !== undefined && {
          "content-type": request.contentType ?? "application/json",
        }),
      },
      ...(request.body !== undefined && { body: JSON.stringify(request.body) }),
      signal,
    });
    if (response.statusCode >= 200 && response.statusCode < 300) return response;
    if (response.statusCode === 401) this.#credentials.forget();
    const text = await readStart(response.body, MAX_ERROR_BYTES, signal);
    const foreign = foreignAnswer(response.statusCode, text);
    if (foreign !== undefined) throw this.invalidResponse(`${this.#describe(request)} ${foreign}`);
    throw apiErrorOf(response, text, this.#describe(request), this.#options.clock.nowMs());
  }

  async #read(
    response: Dispatcher.ResponseData,
    request: TransportRequest,
    signal: AbortSignal,
  ): Promise<unknown> {
    const text = await readText(response.body, this.maxResponseBytes, this.server, signal);
    request.onText?.(text);
    if (request.accept?.startsWith("text/plain") === true) return text;
    const contentType = response.headers["content-type"];
    return parseJson(text, contentType, this.#describe(request), this.server);
  }

  async #readCredentials(): Promise<Credentials> {
    try {
      return await this.#credentials.get();
    } catch (error) {
      throw new KubeConnectionError({
        code: "CREDENTIALS_UNREADABLE",
        server: this.server,
        detail: errorMessage(error),
        cause: error,
      });
    }
  }

  /** Certificates may be renewed on disk: then new connections are made and the old ones left to end. */
  #poolsFor(tls: TlsMaterial): Pools {
    if (this.#closed) {
      throw new KubeConnectionError({
        code: "CLOSED",
        server: this.server,
        detail: "client closed",
      });
    }
    const fingerprint = JSON.stringify(tls);
    if (this.#pools?.tls === fingerprint) return this.#pools;
    const old = this.#pools;
    const pools = createPools({
      origin: this.#origin,
      proxyUrl: this.#proxyUrl,
      tls,
      connections: this.#options.connections,
      watchHeadTimeoutMs: this.#options.requestTimeoutMs,
    });
    this.#pools = { ...pools, tls: fingerprint };
    void old?.requests.close();
    void old?.watches.destroy();
    return this.#pools;
  }

  #describe({ method, path }: TransportRequest): string {
    return `${method} ${this.server}${path}`;
  }

  /** The caller's own abort passes through as it is; everything else is one of our two errors. */
  #asThrown(error: unknown, request: TransportRequest, timedOut: boolean): unknown {
    if (request.signal?.aborted === true) return request.signal.reason;
    if (error instanceof ApiError || error instanceof NotSentError) return error;
    return timedOut
      ? new KubeConnectionError({
          code: "REQUEST_TIMEOUT",
          server: this.server,
          detail: `${request.method} ${request.path} took longer than ${request.timeoutMs ?? this.#options.requestTimeoutMs} ms`,
          cause: error,
        })
      : toConnectionError(error, this.server);
  }

  #counted(thrown: unknown, request: TransportRequest): unknown {
    if (thrown instanceof ApiError) this.#count(request, thrown.statusCode);
    else this.#count(request, thrown instanceof KubeConnectionError ? thrown.code : "ABORTED");
    return thrown;
  }

  #count({ verb, resource }: TransportRequest, code: number | string): void {
    this.#options.metrics?.requests.inc({ verb, resource: resource?.plural ?? "other", code });
  }
}

function queryString(query: object = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) search.set(name, String(value));
  }
  return search.size === 0 ? "" : `?${search.toString()}`;
}
