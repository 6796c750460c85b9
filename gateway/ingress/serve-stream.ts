import { GATEWAY_READY_PATH } from "../../api/names.ts";
import { type IncomingHttpHeaders, type ServerHttp2Stream, constants } from "node:http2";
import type { Clock, Random } from "../../api/clock.ts";
import type { Logger } from "../../kube/logger.ts";
import type { GatewayMetrics } from "../metrics.ts";
import { joinTunnel } from "../stream/tunnel.ts";
import { type ClusterView, type Refusal, authorize } from "./authorize.ts";
import { dial } from "./dial.ts";

export interface StreamContext {
  readonly consumer: string;
  readonly clusterName: string;
  readonly draining: boolean;
  readonly view: ClusterView;
  readonly dialTimeoutMs: number;
  readonly random: Random;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: GatewayMetrics;
}

/** Answers one stream of an authenticated session: a CONNECT, or the ready probe. Never throws. */
export async function serveStream(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  context: StreamContext,
): Promise<void> {
  // `close` follows and decides.
  stream.on("error", () => undefined);
  if (headers[":method"] === "CONNECT") {
    await serveConnect(stream, headers[":authority"], context);
  } else if (headers[":method"] === "GET" && headers[":path"] === GATEWAY_READY_PATH) {
    const { clusterName, draining } = context;
    const body = JSON.stringify({ cluster: clusterName, draining });
    stream.respond({ ":status": draining ? 503 : 200, "content-type": "application/json" });
    stream.end(body);
  } else {
    refuse(stream, { status: 405, reason: "MethodNotAllowed" }, context);
  }
}

async function serveConnect(
  stream: ServerHttp2Stream,
  authority: string | undefined,
  context: StreamContext,
): Promise<void> {
  const { consumer, view, random, clock, logger, metrics } = context;
  const startMs = clock.nowMs();
  const decision = authorize({ authority, consumer }, view, random);
  if (!decision.ok) {
    refuse(stream, decision.refusal, context, authority);
    return;
  }
  const gone = new AbortController();
  const abandon = () => gone.abort();
  stream.once("close", abandon);
  const socket = await dial(decision.targets, {
    timeoutMs: context.dialTimeoutMs,
    signal: gone.signal,
  });
  stream.off("close", abandon);
  if (stream.destroyed) {
    socket?.destroy();
    metrics.streams.inc({ role: "ingress", link: consumer, result: "reset", reason: "Abandoned" });
    return;
  }
  if (socket === undefined) {
    refuse(stream, { status: 503, reason: "EndpointUnreachable" }, context, authority);
    return;
  }
  stream.respond({ ":status": 200 });
  const labels = { role: "ingress", link: consumer } as const;
  metrics.activeStreams.inc(labels);
  joinTunnel(socket, stream, (end) => {
    metrics.activeStreams.dec(labels);
    metrics.streams.inc({ ...labels, result: end.result, reason: end.reason });
    metrics.bytes.inc({ ...labels, direction: "toRemote" }, end.bytesToStream);
    metrics.bytes.inc({ ...labels, direction: "toLocal" }, end.bytesFromStream);
    const durationMs = clock.nowMs() - startMs;
    logger.debug({ ...labels, authority, durationMs, ...end }, "stream ended");
  });
}

function refuse(
  stream: ServerHttp2Stream,
  { status, reason }: Refusal,
  { consumer, logger, metrics }: StreamContext,
  authority?: string,
): void {
  metrics.streams.inc({ role: "ingress", link: consumer, result: "refused", reason });
  logger.debug({ role: "ingress", link: consumer, authority, status, reason }, "stream refused");
  if (stream.destroyed) return;
  // The client's side may stay open: RFC 9113 section 8.1 ends it with NO_ERROR.
  stream.once("finish", () => stream.close(constants.NGHTTP2_NO_ERROR));
  stream.respond({ ":status": status, "isthmus-reason": reason });
  stream.end();
}
