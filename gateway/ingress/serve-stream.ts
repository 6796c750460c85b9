import { GATEWAY_DRAINING_HEADER, GATEWAY_READY_PATH } from "../../api/names.ts";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type IncomingHttpHeaders, type ServerHttp2Stream, constants } from "node:http2";
import type { Socket } from "node:net";
import type { Random } from "../../api/clock.ts";
import { authorityOf } from "../session/peer-session.ts";
import type { StreamAccount, StreamAccounts } from "../stream/stream-accounts.ts";
import { joinTunnel } from "../stream/tunnel.ts";
import { parseAuthority, printable } from "./authority.ts";
import { type ClusterView, type Refusal, authorize } from "./authorize.ts";
import { type Dialled, dial } from "./dial.ts";
import type { Target } from "./endpoint-index.ts";
import type { OpenStreams } from "./open-streams.ts";
import { isPathTest, type PathTests } from "./path-tests.ts";

/** What the streams of one session have in common. */
export interface StreamContext {
  readonly consumer: string;
  readonly clusterName: string;
  readonly draining: () => boolean;
  readonly view: ClusterView;
  readonly dialTimeoutMs: number;
  /** An endpoint did not answer in time. */
  readonly onDialTimeout: () => void;
  /** The stream carries this connection from now on. */
  readonly onCarry: (stream: ServerHttp2Stream, socket: Socket) => void;
  readonly onCarried?: (bytes: number) => void;
  readonly random: Random;
  readonly openStreams: OpenStreams;
  readonly accounts: StreamAccounts;
  readonly pathTests: PathTests;
}

/** What it was admitted to was taken back. */
class StreamCutError extends Error {
  override readonly name = "StreamCutError";
}

/** Answers one stream of an authenticated session: a CONNECT, the ready probe or a path test. Never throws; errors of the stream are the caller's to take. */
export async function serveStream(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  context: StreamContext,
): Promise<void> {
  if (headers[":method"] === "CONNECT") {
    await serveConnect(stream, headers[":authority"] ?? "", context);
    return;
  }
  const { consumer, clusterName, accounts } = context;
  const account = accounts.begin({ link: consumer, consumer, authority: undefined });
  if (headers[":method"] === "GET" && headers[":path"] === GATEWAY_READY_PATH) {
    const draining = context.draining();
    const body = JSON.stringify({ cluster: clusterName, draining });
    // One that drains still takes what a load balancer sends it: its link must not close for that.
    stream.respond({
      ":status": 200,
      "content-type": "application/json",
      ...(draining && { [GATEWAY_DRAINING_HEADER]: "true" }),
    });
    stream.end(body);
    account.end({ result: "answered", reason: "ReadyProbe" });
  } else if (isPathTest(headers)) {
    const refusal = await context.pathTests.serve(stream, headers);
    if (refusal === undefined) account.end({ result: "answered", reason: "PathTest" });
    else refuse(stream, refusal, account);
  } else {
    refuse(stream, { status: 405, reason: "MethodNotAllowed" }, account);
  }
}

async function serveConnect(
  stream: ServerHttp2Stream,
  text: string,
  context: StreamContext,
): Promise<void> {
  const { consumer, view, random, openStreams, accounts } = context;
  const authority = parseAuthority(text);
  const about = authority === undefined ? { authority: printable(text) } : {};
  const account = accounts.begin({ link: consumer, consumer, authority }, about);
  const decision = authorize({ authority, consumer }, view, random);
  if (!decision.ok) {
    refuse(stream, decision.refusal, account);
    return;
  }
  // A flood of streams that are reset at once must not become one of connections (CVE-2023-44487):
  // after this turn of the event loop, all that came in one read has been seen.
  await nextTurn();
  if (stream.closed || stream.destroyed) {
    account.end({ result: "reset", reason: "Abandoned" });
    return;
  }
  let cutFor = "";
  const forget = openStreams.add({ ...decision.admitted, consumer }, () => {
    cutFor = "Unexported";
    stream.destroy(new StreamCutError(cutFor));
  });
  const dialled = await dialFor(stream, decision.targets, context);
  if (stream.destroyed) {
    forget();
    dialled?.socket.destroy();
    account.end({ result: "reset", reason: cutFor || "Abandoned" });
    return;
  }
  if (dialled === undefined) {
    forget();
    refuse(stream, { status: 503, reason: "EndpointUnreachable" }, account);
    return;
  }
  const { socket, target } = dialled;
  stream.respond({ ":status": 200 });
  context.onCarry(stream, socket);
  account.carry(authorityOf({ host: target.address, port: target.port }));
  joinTunnel(socket, stream, {
    onCarried: context.onCarried,
    onEnd: ({ result, reason, bytesToStream, bytesFromStream }) => {
      forget();
      account.end({
        result,
        reason: cutFor || reason,
        bytesToRemote: bytesToStream,
        bytesToLocal: bytesFromStream,
      });
    },
  });
}

/** Dials for a stream, unless that is closed first. */
async function dialFor(
  stream: ServerHttp2Stream,
  targets: readonly Target[],
  { dialTimeoutMs, onDialTimeout }: StreamContext,
): Promise<Dialled | undefined> {
  const gone = new AbortController();
  const abandon = () => gone.abort();
  stream.on("close", abandon);
  const dialled = await dial(targets, {
    timeoutMs: dialTimeoutMs,
    signal: gone.signal,
    onTimeout: onDialTimeout,
  });
  stream.off("close", abandon);
  return dialled;
}

function refuse(
  stream: ServerHttp2Stream,
  { status, reason }: Refusal,
  account: StreamAccount,
): void {
  account.end({ result: "refused", reason });
  if (stream.destroyed) return;
  // The client's side may stay open: RFC 9113 section 8.1 ends it with NO_ERROR.
  stream.once("finish", () => stream.close(constants.NGHTTP2_NO_ERROR));
  stream.respond({ ":status": status, "isthmus-reason": reason });
  stream.end();
}
