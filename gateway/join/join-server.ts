import type { IncomingMessage, ServerResponse } from "node:http";
import { type Server, createServer } from "node:https";
import type { Socket } from "node:net";
import {
  JOIN_PATH,
  JOIN_REFUSALS,
  type JoinRefusal,
  type JoinRefusalReason,
  MAX_JOIN_REQUEST_BYTES,
  type JoinRequest,
  joinRequestSchema,
} from "../../api/join-token.ts";
import type { Logger } from "../../kube/logger.ts";
import type { CertificateAndKey } from "../../pki/authority.ts";
import { JoinContext } from "../../pki/join-tls.ts";
import { Handshakes } from "../limits/handshakes.ts";
import { LogThrottle } from "../limits/log-throttle.ts";
import type { GatewayMetrics } from "../metrics.ts";
import { ignore } from "../stream/ignore.ts";
import { type JoinOutcome, refused } from "./join-outcome.ts";
import { JoinTries } from "./join-tries.ts";

export interface JoinServerOptions {
  /** Exchanges a token; calls `onProven` when the secret was right. Never rejects. */
  exchange: (request: JoinRequest, onProven: () => void) => Promise<JoinOutcome>;
  handshakeTimeoutMs: number;
  /** For all of a connection; DEADLINE_MS when absent. */
  deadlineMs?: number;
  nowMs: () => number;
  logger: Logger;
  metrics: GatewayMetrics;
}

/** Connections of people without a certificate, all together: a further one takes the place of the oldest. */
const MAX_CONNECTIONS = 16;
/** For all of it: handshake, request, and what the API server takes to answer. */
const DEADLINE_MS = 20_000;
const MAX_HEADER_BYTES = 4096;
const MAX_HEADERS = 32;

/**
 * Takes join tokens from clients that have no certificate yet: one request a
 * connection, over HTTP/1.1, so that nothing of what peers may do (HTTP/2,
 * CONNECT, probes) exists here.
 */
export class JoinServer {
  readonly #options: JoinServerOptions;
  readonly #context = new JoinContext();
  readonly #http: Server;
  readonly #tries: JoinTries;
  readonly #throttle: LogThrottle;
  readonly #sockets = new Set<Socket>();
  readonly #places: Handshakes;
  #exchanging = 0;

  constructor(options: JoinServerOptions) {
    this.#options = options;
    this.#tries = new JoinTries(options.nowMs);
    this.#throttle = new LogThrottle(options.nowMs);
    this.#places = new Handshakes({
      max: MAX_CONNECTIONS,
      onGivenUp: (address) => this.#tell("TooManyTries", { address }),
      onCount: ignore,
    });
    this.#http = createServer(
      { ...this.#context.serverOptions(options), maxHeaderSize: MAX_HEADER_BYTES },
      (request, response) => void this.#serve(request, response),
    );
    this.#http.maxRequestsPerSocket = 1;
    this.#http.maxHeadersCount = MAX_HEADERS;
    const secured = new WeakSet<object>();
    this.#http.on("secureConnection", (socket) => secured.add(socket));
    // Of the handshake as well as of what follows it.
    this.#http.on("clientError", (error: NodeJS.ErrnoException, socket) => {
      this.#tell(secured.has(socket) ? "RequestInvalid" : "Handshake", { error: error.code ?? "" });
      socket.destroy();
    });
  }

  /** Exchanges under way whose token was right. */
  get exchanging(): number {
    return this.#exchanging;
  }

  /** The certificate shown from the next handshake on; without one, none succeeds. Throws when it does not load. */
  setLeaf(leaf: CertificateAndKey | undefined): void {
    this.#context.setLeaf(leaf);
  }

  /** Takes over a TCP connection, from its first byte on. */
  accept(socket: Socket): void {
    const { remoteAddress: address = "" } = socket;
    if (!this.#tries.take(address)) {
      this.#tell("TooManyTries", { address });
      socket.destroy();
      return;
    }
    this.#places.begin(socket);
    this.#sockets.add(socket);
    const deadline = setTimeout(() => {
      this.#tell("Deadline", { address });
      socket.destroy();
    }, this.#options.deadlineMs ?? DEADLINE_MS).unref();
    socket.once("close", () => {
      clearTimeout(deadline);
      this.#sockets.delete(socket);
    });
    this.#http.emit("connection", socket);
  }

  /** Ends every connection at once. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", ignore);
    const outcome = await this.#outcomeOf(request);
    const body = "answer" in outcome ? outcome.answer : outcome.refusal;
    const status = "answer" in outcome ? 200 : JOIN_REFUSALS[outcome.refusal.reason];
    const text = JSON.stringify(body);
    response.writeHead(status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text),
      "cache-control": "no-store",
      connection: "close",
    });
    // What is left of a body that was too long is not read.
    response.end(text, () => request.socket.destroySoon());
  }

  async #outcomeOf(request: IncomingMessage): Promise<JoinOutcome> {
    const { remoteAddress: address = "" } = request.socket;
    const read = await readRequest(request);
    const outcome = "refusal" in read ? read : await this.#exchange(read, request);
    const about = { address, ...("consumer" in read && { consumer: read.consumer }) };
    if ("answer" in outcome) {
      this.#count("Joined");
      this.#options.logger.info(about, "joined by token");
    } else {
      this.#tell(outcome.refusal.reason, { ...about, message: outcome.refusal.message });
    }
    return outcome;
  }

  async #exchange(read: JoinRequest, { socket }: IncomingMessage): Promise<JoinOutcome> {
    let isProven = false;
    const outcome = await this.#options.exchange(read, () => {
      isProven = true;
      this.#exchanging += 1;
      // Whoever has the secret is no stranger any more: it keeps its place.
      this.#places.done(socket);
    });
    if (isProven) this.#exchanging -= 1;
    return outcome;
  }

  #count(result: string): void {
    this.#options.metrics.joins.inc({ result });
  }

  /** Counts a try that came to nothing, and logs the first of many. */
  #tell(result: JoinRefusalReason | "Handshake" | "Deadline", about: Record<string, string>): void {
    this.#count(result);
    const unlogged = this.#throttle.unlogged(result);
    if (unlogged === undefined) return;
    this.#options.logger.info({ reason: result, ...about, unlogged }, "join refused");
  }
}

/** The one request that there is, or why this is none. */
async function readRequest(
  request: IncomingMessage,
): Promise<JoinRequest | { refusal: JoinRefusal }> {
  if (request.url !== JOIN_PATH) return refused("NotFound", `there is only ${JOIN_PATH}`);
  if (request.method !== "POST") return refused("MethodNotAllowed", "only POST is taken");
  const parsed = joinRequestSchema.safeParse(await readJson(request));
  if (parsed.success) return parsed.data;
  const field = parsed.error.issues[0]?.path.join(".") || "the body";
  return refused("RequestInvalid", `${field} is missing, too large or not as it should be`);
}

/** The body as JSON; undefined when it is none, too long, or does not come whole. */
async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      if (!Buffer.isBuffer(chunk)) return undefined;
      bytes += chunk.length;
      if (bytes > MAX_JOIN_REQUEST_BYTES) return undefined;
      chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    return undefined;
  }
}
