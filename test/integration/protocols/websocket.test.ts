import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { eventually } from "../fixtures.ts";
import { linkGateways } from "../gateway/linked-gateways.ts";
import { type RealServer, launchServer, startServer } from "./real-process.ts";

/** Node's own WebSocket client and the server of python3-websockets, with both gateways between them. */

const serverCommand = (port: number) => [
  "/usr/bin/python3",
  path.join(import.meta.dirname, "websocket-server.py"),
  String(port),
];

let server: RealServer;
let port: number;

beforeAll(async () => {
  server = await launchServer(serverCommand);
});

afterAll(async () => await server.process.stop());

beforeEach(async () => {
  ({ port } = await linkGateways([server.port]));
});

async function open(atPort: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${atPort}/`);
  onTestFinished(() => socket.close());
  socket.binaryType = "arraybuffer";
  await once(socket, "open");
  return socket;
}

/** Sends a message and resolves with the next one that comes. */
async function ask(socket: WebSocket, message: string | Uint8Array<ArrayBuffer>): Promise<unknown> {
  socket.send(message);
  const [event]: unknown[] = await once(socket, "message");
  return event instanceof MessageEvent ? event.data : undefined;
}

async function closing(socket: WebSocket) {
  const [event]: unknown[] = await once(socket, "close");
  if (!(event instanceof CloseEvent)) throw new Error("no close event");
  const { code, reason, wasClean } = event;
  return { code, reason, wasClean };
}

test("a message of 8 MiB goes both ways unchanged", async () => {
  const socket = await open(port);
  const message = new Uint8Array(randomBytes(8 * 1024 * 1024));
  const answer = await ask(socket, message);
  if (!(answer instanceof ArrayBuffer)) throw new Error("not a binary message");
  expect(sha256(new Uint8Array(answer))).toBe(sha256(message));
});

test("a ping of the server is answered, and 500 short messages keep their order", async () => {
  const socket = await open(port);
  expect(await ask(socket, "ping me")).toBe("a pong came");
  const words = Array.from({ length: 500 }, (_, index) => `word ${index}`);
  const heard: unknown[] = [];
  socket.addEventListener("message", ({ data }) => heard.push(data));
  for (const word of words) socket.send(word);
  await eventually(() => expect(heard).toHaveLength(500), { describe: "all answers" });
  expect(heard).toEqual(words);
});

test("close codes reach the other side, whichever closes", async () => {
  const told = await open(port);
  told.send("close me");
  expect(await closing(told)).toEqual({ code: 4001, reason: "as you said", wasClean: true });

  const teller = await open(port);
  const closed = closing(teller);
  teller.close(4000, "enough");
  expect(await closed).toEqual({ code: 4000, reason: "enough", wasClean: true });
  await eventually(() => expect(server.process.stdout).toContain("closed with 4000 enough"), {
    describe: "the server hears the code",
  });
});

test("a server that is killed is no clean close", async () => {
  const doomed = await startServer(serverCommand);
  const gateways = await linkGateways([doomed.port]);
  const socket = await open(gateways.port);
  expect(await ask(socket, "hello")).toBe("hello");
  const closed = closing(socket);
  await doomed.process.stop("SIGKILL");
  expect(await closed).toMatchObject({ code: 1006, wasClean: false });
});

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
