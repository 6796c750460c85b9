import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { type Socket, connect } from "node:net";
import { beforeAll, expect, test } from "vitest";
import { eventually } from "../fixtures.ts";
import { dialMirror, hear, heard, startBackend } from "../gateway/loopback.ts";
import { type Identity, createIdentity, startConsumer } from "../gateway/two-gateways.ts";
import { startServer } from "../protocols/real-process.ts";
import { writePemFiles } from "./pem-files.ts";

/** nghttpx as a provider's ingress: it ends our egress's HTTP/2 and TLS, and hands each CONNECT to an HTTP/1 proxy. */

let west: Identity;
let east: Identity;

beforeAll(async () => {
  [west, east] = await Promise.all([createIdentity("west"), createIdentity("east")]);
});

/** The proxy behind nghttpx, which knows where `web.shop.svc:80` is and nothing else; returns its port. */
async function startResolver(backend: number): Promise<number> {
  const server = createServer();
  server.on("connect", ({ url }, client: Socket) => {
    if (url !== "web.shop.svc:80") {
      client.end(
        "HTTP/1.1 404 Not Found\r\nisthmus-reason: NotExported\r\ncontent-length: 0\r\n\r\n",
      );
      return;
    }
    const upstream = connect({ host: "127.0.0.1", port: backend, allowHalfOpen: true }, () => {
      client.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.pipe(client).pipe(upstream);
    });
    client.on("error", () => upstream.resetAndDestroy());
    upstream.on("error", () => client.resetAndDestroy());
  });
  return await startBackend((socket) => server.emit("connection", socket));
}

/** A backend that reads so many bytes, answers with their SHA-256 and ends. */
async function startDigester(bytes: number): Promise<number> {
  return await startBackend((socket) => {
    const hash = createHash("sha256");
    socket.on("data", (chunk: Buffer) => {
      hash.update(chunk);
      if (socket.bytesRead >= bytes) socket.end(hash.digest("hex"));
    });
  });
}

/** Our egress and an nghttpx that trusts the CA of `trusted`. */
async function linkTo(backend: number, trusted: Identity) {
  const pem = await writePemFiles(west, trusted);
  const resolver = await startResolver(backend);
  const provider = await startServer((port) => [
    "nghttpx",
    "--http2-proxy",
    "--workers=1",
    "--conf=/dev/null",
    `--frontend=127.0.0.1,${port}`,
    `--backend=127.0.0.1,${resolver}`,
    "--verify-client",
    `--verify-client-cacert=${pem.bundle}`,
    "--tls-min-proto-version=TLSv1.3",
    pem.key,
    pem.cert,
  ]);
  const consumer = startConsumer(east);
  consumer.link(west, provider.port);
  const port = await consumer.mirror("west", "web");
  const other = await consumer.mirror("west", "other");
  return { consumer, port, other };
}

async function linkedTo(backend: number) {
  const linked = await linkTo(backend, east);
  await linked.consumer.untilOpen(linked.port);
  return linked;
}

/** Sends without ending its side, which nghttpx would not pass on, and hears the answer. */
async function ask(port: number, question: Buffer): Promise<string> {
  const socket = await dialMirror(port);
  socket.write(question);
  return await heard(socket);
}

test("8 MB go through nghttpx, and the answer and its end come back", async () => {
  const question = randomBytes(8 * 1024 * 1024);
  const { port } = await linkedTo(await startDigester(question.length));
  const digest = createHash("sha256").update(question).digest("hex");
  expect(await ask(port, question)).toBe(`${digest}end`);
});

test("what nghttpx refuses is reset, and its session serves 50 others at the same time", async () => {
  const words = Array.from({ length: 50 }, () => randomBytes(100));
  const { port, other } = await linkedTo(await startDigester(100));
  expect(await hear(other, "x")).toBe("ECONNRESET");
  expect(await Promise.all(words.map((word) => ask(port, word)))).toEqual(
    words.map((word) => `${createHash("sha256").update(word).digest("hex")}end`),
  );
});

test("an nghttpx that does not know our CA refuses us: the port stays closed", async () => {
  const stranger = await createIdentity("north");
  const { consumer, port } = await linkTo(await startDigester(1), stranger);
  await eventually(
    async () => {
      const text = await consumer.registry.metrics();
      expect(text).toMatch(/isthmus_gateway_session_failures_total\{[^}]*\} [1-9]/);
    },
    { describe: "a session failed" },
  );
  expect(consumer.egress.openPorts).toEqual([]);
  expect(await hear(port)).toBe("ECONNREFUSED");
});
