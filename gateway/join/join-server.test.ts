import { once } from "node:events";
import { type AddressInfo, type Socket, connect as connectTcp, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { type ConnectionOptions, type TLSSocket, connect } from "node:tls";
import { PassThrough } from "node:stream";
import { pino } from "pino";
import { Registry } from "prom-client";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import {
  JOIN_PATH,
  type JoinAnswer,
  type JoinRequest,
  MAX_JOIN_REQUEST_BYTES,
} from "../../api/join-token.ts";
import { gatewayIdentity } from "../../api/names.ts";
import { type CertificateAndKey, createAuthority, issueLeaf } from "../../pki/authority.ts";
import { joinClientTlsOptions } from "../../pki/join-tls.ts";
import { poll } from "../../test/bed/poll.ts";
import { declareGatewayMetrics } from "../metrics.ts";
import { refused } from "./join-outcome.ts";
import { JoinServer, type JoinServerOptions } from "./join-server.ts";

let ca: CertificateAndKey;
let leaf: CertificateAndKey;
const identity = gatewayIdentity("west");

beforeAll(async () => {
  const nowMs = Date.now();
  ca = await createAuthority({ clusterName: "west", nowMs });
  leaf = await issueLeaf(ca, { identity, nowMs });
});

const ANSWER: JoinAnswer = {
  apiServer: { url: "https://api.west" },
  token: "a-service-account-token",
  gateway: {},
};

function requestText(): string {
  const request: JoinRequest = {
    id: "i".repeat(22),
    secret: "the-secret-of-a-token-that-nobody-may-see-1",
    consumer: "east",
    documentHash: "0".repeat(64),
    identity: gatewayIdentity("east"),
    trustBundle: ca.certificatePem,
  };
  return JSON.stringify(request);
}

/** A server on loopback with its log, ended with the test. */
async function startServer(options: Partial<JoinServerOptions> = {}) {
  const log: string[] = [];
  const sink = new PassThrough().on("data", (line: Buffer) => log.push(line.toString()));
  const registry = new Registry();
  const asked: JoinRequest[] = [];
  const server = new JoinServer({
    exchange: async (request, onProven) => {
      asked.push(request);
      onProven();
      return { answer: ANSWER };
    },
    handshakeTimeoutMs: 5000,
    nowMs: Date.now,
    logger: pino({ level: "trace" }, sink),
    metrics: declareGatewayMetrics(registry),
    ...options,
  });
  server.setLeaf(leaf);
  const listener = createServer((socket) => server.accept(socket));
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  onTestFinished(() => {
    server.destroy();
    listener.close();
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
  const { port } = listener.address() as AddressInfo;
  const results = async () =>
    (await registry.metrics())
      .split("\n")
      .filter((line) => line.startsWith("isthmus_gateway_joins_total{"));
  return { server, port, log, asked, results };
}

/** A TCP connection from an address of its own. */
let addresses = 0;
function dial(port: number, localAddress = `127.2.0.${(addresses += 1)}`): Socket {
  const socket = connectTcp({ host: "127.0.0.1", port, localAddress }).on("error", () => {});
  onTestFinished(() => void socket.destroy());
  return socket;
}

function secure(socket: Socket, options: ConnectionOptions = {}): TLSSocket {
  const tls = joinClientTlsOptions({ bundlePem: ca.certificatePem, identity });
  return connect({ ...tls, socket, ...options }).on("error", () => {});
}

/** Sends bytes and hears everything until the end. */
async function hear(socket: TLSSocket, bytes: string): Promise<string> {
  socket.write(bytes);
  return await text(socket).catch(() => "");
}

function post(body: string, head = `POST ${JOIN_PATH} HTTP/1.1`): string {
  return `${head}\r\nhost: join.isthmus\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** Status line and JSON body of the one answer. */
function parts(answer: string): { status: string; reason: string | undefined } {
  const [head = "", body = "{}"] = answer.split("\r\n\r\n");
  const parsed: { reason?: string } = JSON.parse(body);
  return { status: head.split(" ")[1] ?? "", reason: parsed.reason };
}

test("a token is exchanged, once a connection, and nothing of it is logged", async () => {
  const { port, asked, log, results } = await startServer();
  const both = post(requestText()) + post(requestText());
  const heard = await hear(secure(dial(port)), both);
  expect(heard).toContain("HTTP/1.1 200 OK");
  expect(heard).toContain("cache-control: no-store");
  expect(heard.split(ANSWER.token)).toHaveLength(2);
  expect(asked).toHaveLength(1);
  expect(await results()).toEqual(['isthmus_gateway_joins_total{result="Joined"} 1']);
  expect(log.join("")).not.toContain("secret-of-a-token");
  expect(log.join("")).not.toContain(ANSWER.token);
});

describe("a client without a certificate gets nothing but the exchange", () => {
  test.each([
    ["for the probe of peers", post("", "GET /.isthmus/ready HTTP/1.1"), "404", "NotFound"],
    ["for metrics", post("", "GET /metrics HTTP/1.1"), "404", "NotFound"],
    ["for another path", post("{}", `POST ${JOIN_PATH}/../ready HTTP/1.1`), "404", "NotFound"],
    ["for the path with a query", post("{}", `POST ${JOIN_PATH}?x HTTP/1.1`), "404", "NotFound"],
    ["with another method", post("{}", `GET ${JOIN_PATH} HTTP/1.1`), "405", "MethodNotAllowed"],
    ["that is not JSON", post("token"), "400", "RequestInvalid"],
    ["without its fields", post("{}"), "400", "RequestInvalid"],
  ])("with a request %s", async (_what, bytes, status, reason) => {
    const { port, asked } = await startServer();
    expect(parts(await hear(secure(dial(port)), bytes))).toEqual({ status, reason });
    expect(asked).toEqual([]);
  });

  test("with a request that is too long, right as it may be otherwise", async () => {
    const { port, asked } = await startServer();
    const bytes = post(requestText() + " ".repeat(MAX_JOIN_REQUEST_BYTES));
    expect(parts(await hear(secure(dial(port)), bytes))).toEqual({
      status: "400",
      reason: "RequestInvalid",
    });
    expect(asked).toEqual([]);
  });

  test.each([
    ["a CONNECT", "CONNECT web.shop.svc:80 HTTP/1.1\r\nhost: web.shop.svc:80\r\n\r\n"],
    ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"],
    ["header fields that are too long", `GET / HTTP/1.1\r\nx: ${"x".repeat(5000)}\r\n\r\n`],
    ["no HTTP at all", "\0\0\0\0\r\n\r\n"],
  ])("with %s: the connection ends", async (_what, bytes) => {
    const { port, asked } = await startServer();
    expect(await hear(secure(dial(port)), bytes)).not.toMatch(/^HTTP\/1.1 2/);
    expect(asked).toEqual([]);
  });

  test("with an upgrade: it is a request like any other", async () => {
    const { port } = await startServer();
    const bytes = "GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n";
    expect(parts(await hear(secure(dial(port)), bytes)).reason).toBe("NotFound");
  });
});

describe("no handshake succeeds", () => {
  test.each<[what: string, options: ConnectionOptions]>([
    ["under the name of a peer", { servername: "east.peer.isthmus" }],
    ["under a name that is spelled otherwise", { servername: "Join.isthmus" }],
    ["under a name below", { servername: "a.join.isthmus" }],
    ["without a name", { servername: "" }],
    ["for HTTP/2", { ALPNProtocols: ["h2"] }],
    ["of TLS 1.2", { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" }],
  ])("%s", async (_what, options) => {
    const { port, asked, results } = await startServer();
    expect(await hear(secure(dial(port), options), post(requestText()))).toBe("");
    expect(asked).toEqual([]);
    expect(await results()).toEqual(['isthmus_gateway_joins_total{result="Handshake"} 1']);
  });

  test("without a leaf", async () => {
    const { server, port } = await startServer();
    server.setLeaf(undefined);
    expect(await hear(secure(dial(port)), post(requestText()))).toBe("");
  });
});

describe("connections are bounded", () => {
  test("in time, from the first byte to the last", async () => {
    const { port, results } = await startServer({ deadlineMs: 100 });
    const silent = secure(dial(port));
    await once(silent, "secureConnect");
    expect(await hear(silent, post(requestText()).slice(0, -1))).toBe("");
    expect(await results()).toEqual(['isthmus_gateway_joins_total{result="Deadline"} 1']);
  });

  test("in number: a further one takes the place of the oldest, but not of one whose token is right", async () => {
    const answer = Promise.withResolvers<void>();
    const { server, port } = await startServer({
      exchange: async (_request, onProven) => {
        onProven();
        await answer.promise;
        return { answer: ANSWER };
      },
    });
    const proven = secure(dial(port));
    const heard = hear(proven, post(requestText()));
    await poll("the exchange is under way", () => server.exchanging === 1, { timeoutMs: 5000 });
    const strangers = Array.from({ length: 20 }, () => dial(port));
    const open = () => strangers.filter((socket) => !socket.destroyed).length;
    await poll("16 are left", () => open() === 16, { timeoutMs: 5000 });
    answer.resolve();
    expect(await heard).toContain("HTTP/1.1 200 OK");
    expect(server.exchanging).toBe(0);
  });

  test("in tries of one address, before any handshake; others are served", async () => {
    const { port, results } = await startServer({
      exchange: async () => refused("TokenUnknown", "none"),
    });
    const flood = Array.from({ length: 30 }, () => dial(port, "127.3.0.1"));
    const refusedOnes = () => flood.filter((socket) => socket.destroyed).length;
    await poll("20 are refused", () => refusedOnes() >= 20, { timeoutMs: 5000 });
    for (const socket of flood) socket.destroy();
    expect(parts(await hear(secure(dial(port)), post(requestText())))).toEqual({
      status: "403",
      reason: "TokenUnknown",
    });
    expect((await results()).join()).toContain('result="TooManyTries"');
  });
});
