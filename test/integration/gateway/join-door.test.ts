import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { type Socket, connect as connectTcp } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type ConnectionOptions, type TLSSocket, connect } from "node:tls";
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { gatewayIdentity, GATEWAY_READY_PATH, peerServerName } from "../../../api/names.ts";
import { JOIN_SERVER_NAME } from "../../../api/join-token.ts";
import { clientTlsOptions } from "../../../pki/tls.ts";
import { refused } from "../../../gateway/join/join-outcome.ts";
import { eventually } from "../fixtures.ts";
import { startBackend } from "./loopback.ts";
import { PREFACE, connectRequest, settings } from "./raw-frames.ts";
import { RawSession } from "./raw-session.ts";
import { type Identity, type Provider, createIdentity, startProvider } from "./two-gateways.ts";

/** The ingress's port while join tokens are taken there, too: what is new for people without a certificate. */

let west: Identity;
let east: Identity;
let provider: Provider;
let dialled = 0;
let exchanged = 0;

beforeAll(async () => {
  [west, east] = [await createIdentity("west"), await createIdentity("east")];
});

beforeEach(async () => {
  dialled = 0;
  exchanged = 0;
  provider = await startProvider(west, [east], {
    limits: { handshakeTimeoutMs: 400 },
    exchange: async () => {
      exchanged += 1;
      return refused("TokenUnknown", "none");
    },
  });
  const backend = await startBackend((socket) => {
    dialled += 1;
    socket.pipe(socket);
  });
  provider.export("web", [backend]);
});

function open(): void {
  provider.ingress.takeTokensUntil(Date.now() + 60_000);
}

function dial(port = provider.port): Socket {
  const socket = connectTcp({ host: "127.0.0.1", port, noDelay: true });
  onTestFinished(() => void socket.destroy());
  return socket.on("error", () => {});
}

/** East's own certificate, under its own name. */
function eastOptions(): ConnectionOptions {
  return clientTlsOptions({
    leaf: east.leaf,
    bundlePem: west.ca.certificatePem,
    identity: gatewayIdentity("west"),
    serverName: peerServerName("east"),
  });
}

/** A client that looks at nothing that the server shows. */
function stranger(options: ConnectionOptions, socket: Socket = dial()): TLSSocket {
  const tls = connect({ ...options, socket, rejectUnauthorized: false });
  onTestFinished(() => void tls.destroy());
  return tls.on("error", () => {});
}

/** Carries a client to the ingress, its first bytes a few at a time. */
async function relayInPieces(client: Socket): Promise<void> {
  const onward = dial();
  onward.pipe(client);
  await once(client, "readable");
  const bytes: Buffer = client.read();
  for (let start = 0; start < bytes.length; start += 100) {
    onward.write(bytes.subarray(start, start + 100));
    await sleep(2);
  }
  client.pipe(onward);
}

/** Everything that comes until the end. */
async function heard(socket: TLSSocket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => socket.once("close", resolve));
  return Buffer.concat(chunks).toString("latin1");
}

/** The status of a CONNECT over this TCP connection with these TLS options; none when the session fails. */
async function statusOf(options: ConnectionOptions, socket: Socket): Promise<number | undefined> {
  const session = connectHttp2("https://west", {
    createConnection: () => connect({ ...options, socket }),
  });
  onTestFinished(() => session.destroy());
  const stream = session.request({ ":method": "CONNECT", ":authority": "web.shop.svc:80" });
  return await new Promise((resolve) => {
    stream.once("response", (headers) => resolve(headers[":status"]));
    for (const one of [session, stream]) one.once("error", () => resolve(undefined));
    session.once("close", () => resolve(undefined));
  });
}

async function seriesOf(metric: string): Promise<string[]> {
  const lines = (await provider.registry.metrics()).split("\n");
  return lines.filter((line) => line.startsWith(`isthmus_gateway_${metric}{`));
}

const POST = "POST /.isthmus/join HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}";

describe("while no token is pending", () => {
  test("the server name of joins is one that no peer has", async () => {
    const socket = stranger({ servername: JOIN_SERVER_NAME });
    socket.write(POST);
    expect(await heard(socket)).toBe("");
    expect(await seriesOf("joins_total")).toEqual([]);
    expect(await seriesOf("ingress_refused_total")).toHaveLength(1);
  });

  test("it is so again once the last has expired", async () => {
    provider.ingress.takeTokensUntil(Date.now() - 1);
    const socket = stranger({ servername: JOIN_SERVER_NAME });
    socket.write(POST);
    expect(await heard(socket)).toBe("");
    expect(await seriesOf("joins_total")).toEqual([]);
  });

  test("no connection is looked at: the handshake itself has the deadline of one that says nothing", async () => {
    const socket = dial();
    await once(socket, "close");
    expect((await seriesOf("ingress_refused_total")).join()).toContain("ERR_TLS_HANDSHAKE_TIMEOUT");
  });
});

describe("while a token is pending", () => {
  beforeEach(open);

  test("who names joins reaches the exchange, and nothing else", async () => {
    const socket = stranger({ servername: JOIN_SERVER_NAME, ALPNProtocols: ["http/1.1"] });
    socket.write(`GET ${GATEWAY_READY_PATH} HTTP/1.1\r\nhost: x\r\n\r\n`);
    const answer = await heard(socket);
    expect(answer).toContain("404");
    expect(answer).not.toContain("draining");
    expect(exchanged).toBe(0);
  });

  test.each<[what: string, options: () => ConnectionOptions]>([
    ["without a certificate", () => ({ servername: JOIN_SERVER_NAME })],
    [
      "that offers HTTP/2 as well",
      () => ({ servername: JOIN_SERVER_NAME, ALPNProtocols: ["h2", "http/1.1"] }),
    ],
    [
      "with a Peer's certificate",
      () => ({ ...eastOptions(), servername: JOIN_SERVER_NAME, ALPNProtocols: ["http/1.1"] }),
    ],
  ])(
    "a client %s gets no session, stream or connection under the name of joins",
    async (_what, options) => {
      const socket = stranger(options());
      const session = new RawSession(socket);
      await session.send(PREFACE, settings(), connectRequest(1));
      await session.ended();
      expect(session.frames.filter(({ type }) => type === 1)).toEqual([]);
      expect(dialled).toBe(0);
      expect(await seriesOf("streams_total")).toEqual([]);
      expect(provider.ingress.activeSessions).toBe(0);
    },
  );

  test.each<[what: string, servername: string, reason: string]>([
    ["under a Peer's name", peerServerName("east"), "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE"],
    ["under no name", "", "ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM"],
    ["under an unknown name", "other.isthmus", "Handshake"],
    ["under a name that only begins like that of joins", `${JOIN_SERVER_NAME}.x`, "Handshake"],
    ["under the name of joins in upper case", JOIN_SERVER_NAME.toUpperCase(), "Handshake"],
  ])("a client without a certificate is refused as ever %s", async (_what, servername, reason) => {
    const options = { servername, ALPNProtocols: ["h2"] };
    const socket = stranger(options);
    const session = new RawSession(socket);
    await session.send(PREFACE, settings(), connectRequest(1));
    await session.ended();
    expect(session.frames.filter(({ type }) => type === 1)).toEqual([]);
    await eventually(
      async () =>
        expect(await seriesOf("ingress_refused_total")).toEqual([
          `isthmus_gateway_ingress_refused_total{reason="${reason}"} 1`,
        ]),
      { describe: "the refusal is counted" },
    );
    expect(await seriesOf("joins_total")).toEqual([]);
    expect([dialled, exchanged, provider.ingress.activeSessions]).toEqual([0, 0, 0]);
  });

  test("peers are served, however their first bytes arrive", async () => {
    expect(await statusOf(eastOptions(), dial())).toBe(200);
    const inPieces = await startBackend((client) => void relayInPieces(client));
    expect(await statusOf(eastOptions(), dial(inPieces))).toBe(200);
    expect(dialled).toBe(2);
  });

  test("a peer's session begins while others try tokens all the time", async () => {
    const flood = Array.from({ length: 60 }, () => stranger({ servername: JOIN_SERVER_NAME }));
    expect(await statusOf(eastOptions(), dial())).toBe(200);
    for (const socket of flood) socket.destroy();
    expect((await seriesOf("joins_total")).join()).toContain("TooManyTries");
  });

  test("who says nothing, or only half of a ClientHello, loses the connection after the time of a handshake", async () => {
    const silent = dial();
    const half = dial();
    half.write(Buffer.from([22, 3, 1, 1, 0, 1, 0, 0]));
    await Promise.all([once(silent, "close"), once(half, "close")]);
    expect((await seriesOf("bound_reached_total")).join()).toMatch(/HandshakeTimeout.* 2/);
  });
});
