import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gatewayIdentity, peerServerName } from "../../../api/names.ts";
import { run, runOk } from "../../bed/command.ts";
import { eventually } from "../fixtures.ts";
import { dialMirror, hear, heard, startBackend, startEcho } from "../gateway/loopback.ts";
import {
  type Identity,
  createIdentity,
  startConsumer,
  startProvider,
} from "../gateway/two-gateways.ts";
import { type RealServer, startProcess, startServer } from "../protocols/real-process.ts";
import { writePemFiles } from "./pem-files.ts";

/** Go's HTTP/2 and TLS at the other end of the wire (go-peer/main.go). */

let folder: string;
let goPeer: string;
let west: Identity;
let east: Identity;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "isthmus-go-peer-"));
  goPeer = path.join(folder, "go-peer");
  const source = path.join(import.meta.dirname, "go-peer");
  // The flags of the bed's own binaries: the standard library is in Go's cache then.
  const flags = ["-trimpath", "-buildvcs=false", "-ldflags", "-s -w"];
  [west, east] = await Promise.all([createIdentity("west"), createIdentity("east")]);
  await runOk(["go", "build", "-C", source, ...flags, "-o", goPeer, "."], { timeoutMs: 60_000 });
});

afterAll(async () => await rm(folder, { recursive: true }));

/** What the peer is told of itself and of the cluster at the other end; either side names the consumer. */
async function identityFlags(own: Identity, other: Identity): Promise<string[]> {
  const { cert, key, bundle } = await writePemFiles(own, other);
  const names = [
    `-server-name=${peerServerName("east")}`,
    `-identity=${gatewayIdentity(other.name)}`,
  ];
  return [`-cert=${cert}`, `-key=${key}`, `-bundle=${bundle}`, ...names];
}

const sha256 = (data: Buffer | string) => createHash("sha256").update(data).digest("hex");

/** The command of a Go consumer of our ingress, which exports `shop/web` from this backend. */
async function consumerOf(
  backend: number,
  options: { mode?: string; authority?: string; as?: Identity } = {},
): Promise<string[]> {
  const { mode = "connect", authority = "web.shop.svc:80", as = east } = options;
  const provider = await startProvider(west, [east]);
  provider.export("web", [backend]);
  const target = [`-address=127.0.0.1:${provider.port}`, `-authority=${authority}`];
  return [goPeer, ...target, ...(await identityFlags(as, west)), mode];
}

describe("our ingress and a consumer written in Go:", () => {
  test("8 MB go there and back, and the end of the question is passed on", async () => {
    const text = randomBytes(6 * 1024 * 1024).toString("base64");
    const answer = await runOk(await consumerOf(await startEcho()), { input: text });
    expect(sha256(answer)).toBe(sha256(text));
  });

  test("what it sends after the server has ended still arrives", async () => {
    let received = "";
    const backend = await startBackend((socket) => {
      socket.end("banner");
      socket.on("data", (chunk: Buffer) => (received += chunk.toString()));
      socket.on("end", () => (received += " end"));
    });
    const client = startProcess(await consumerOf(backend));
    await eventually(() => expect(client.stdout).toBe("banner"), { describe: "the banner" });
    await client.write("late");
    client.endInput();
    expect(await client.ended()).toBe(0);
    await eventually(() => expect(received).toBe("late end"), { describe: "what was sent late" });
  });

  test("a reset of the server's connection is an error, not an end", async () => {
    const backend = await startBackend((socket) => {
      socket.once("data", () => socket.write("half of it", () => socket.resetAndDestroy()));
    });
    const { code, stderr } = await run(await consumerOf(backend), { input: "question" });
    expect(code).toBe(1);
    expect(stderr).toContain("stream error: stream ID 1; INTERNAL_ERROR; received from peer");
  });

  test.each([
    ["a Service that is not exported", "other.shop.svc:80", "refused: 404 NotExported"],
    ["a port that is not exported", "web.shop.svc:22", "refused: 403 PortNotExported"],
    ["an IP address", "127.0.0.1:80", "refused: 400 AuthorityInvalid"],
  ])("%s is refused with a status and a reason", async (_what, authority, refusal) => {
    const { code, stderr } = await run(await consumerOf(await startEcho(), { authority }));
    expect({ code, stderr: stderr.trim() }).toEqual({ code: 1, stderr: refusal });
  });

  test("the ready probe is answered over the same wire", async () => {
    const printed = await runOk(await consumerOf(await startEcho(), { mode: "ready" }));
    expect(printed).toBe('HTTP/2.0 200\n{"cluster":"west","draining":false}');
  });

  test("a certificate that is not the peer's is refused in the handshake", async () => {
    const north = await createIdentity("north");
    const { code, stderr } = await run(await consumerOf(await startEcho(), { as: north }));
    expect(code).toBe(1);
    // Told which CAs are accepted, Go shows no certificate; what it hears of that depends on when it writes.
    expect(stderr).toMatch(/certificate required|broken pipe|connection reset/);
  });
});

interface GoProvider {
  readonly provider: RealServer;
  /** Where our egress is reached for `shop/web`, and for a Service that the provider does not know. */
  readonly port: number;
  readonly other: number;
}

/** Our egress linked to a Go provider of `shop/web`; `port` is where our egress is reached. */
async function linkedTo(backend: number): Promise<GoProvider> {
  const flags = await identityFlags(west, east);
  const provider = await startServer((port) => [
    goPeer,
    `-address=127.0.0.1:${port}`,
    "-authority=web.shop.svc:80",
    `-backend=127.0.0.1:${backend}`,
    ...flags,
    "serve",
  ]);
  const consumer = startConsumer(east);
  consumer.link(west, provider.port);
  const port = await consumer.mirror("west", "web");
  await consumer.untilOpen(port);
  const other = await consumer.mirror("west", "other");
  return { provider, port, other };
}

describe("our egress and a provider written in Go:", () => {
  test("8 MB go there and back, and the end of the question is passed on", async () => {
    const { port } = await linkedTo(await startEcho());
    const bytes = randomBytes(8 * 1024 * 1024);
    const socket = await dialMirror(port);
    const hash = createHash("sha256");
    const ended = new Promise((resolve) => socket.once("end", resolve));
    socket.on("data", (chunk: Buffer) => hash.update(chunk));
    socket.end(bytes);
    await ended;
    expect(hash.digest("hex")).toBe(sha256(bytes));
  });

  test("100 connections at the same time share its session", async () => {
    const { port } = await linkedTo(await startEcho());
    const words = Array.from({ length: 100 }, (_, index) => `word ${index}`);
    expect(await Promise.all(words.map((word) => hear(port, word)))).toEqual(
      words.map((word) => `${word}end`),
    );
  });

  test("a reset of the server's connection resets the client's", async () => {
    const { port } = await linkedTo(
      await startBackend((socket) => void socket.once("data", () => socket.resetAndDestroy())),
    );
    const socket = await dialMirror(port);
    socket.write("question");
    expect(await heard(socket)).toBe("ECONNRESET");
  });

  test("a reset of the client's connection resets the server's", async () => {
    let server: Socket | undefined;
    let ending = "";
    const { provider, port } = await linkedTo(
      await startBackend((socket) => {
        server = socket.resume();
        socket.on("error", (error: NodeJS.ErrnoException) => (ending = error.code ?? "?"));
        socket.on("end", () => (ending = "end"));
      }),
    );
    const socket = await dialMirror(port);
    socket.write("question");
    await eventually(() => expect(server?.bytesRead).toBe(8), { describe: "the question" });
    socket.resetAndDestroy();
    await eventually(() => expect(ending).toBe("ECONNRESET"), { describe: "the reset" });
    expect(provider.process.stdout).toContain("the consumer's stream was reset");
  });

  test("a refusal resets the client", async () => {
    const { other } = await linkedTo(await startEcho());
    expect(await hear(other, "x")).toBe("ECONNRESET");
  });
});
