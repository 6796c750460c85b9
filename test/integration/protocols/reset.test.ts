import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { run } from "../../bed/command.ts";
import { eventually } from "../fixtures.ts";
import { linkGateways } from "../gateway/linked-gateways.ts";
import { dialMirror, heard, startBackend } from "../gateway/loopback.ts";
import { FLAG, FRAME, connectRequest, frame, rstStream } from "../gateway/raw-frames.ts";
import { openRawSession } from "../gateway/raw-session.ts";
import { createIdentity } from "../gateway/two-gateways.ts";
import { startProcess } from "./real-process.ts";

/** curl's exit code for "failure in receiving network data". */
const RECEIVE_FAILED = 56;
const HEADERS = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n";
const CHUNK = Buffer.alloc(256 * 1024, "x");

/** Sends without end, as fast as the socket takes it. */
function sendEndlessly(socket: Socket): void {
  const send = () => {
    while (!socket.destroyed && socket.write(CHUNK)) {
      // As fast as it takes it.
    }
  };
  socket.on("drain", send);
  send();
}

/** How each connection of a backend ended: with `end`, or with an error's code. */
async function startDownload(): Promise<{ port: number; endings: string[] }> {
  const endings: string[] = [];
  const port = await startBackend((socket) => {
    socket.on("error", (error: NodeJS.ErrnoException) => endings.push(error.code ?? "?"));
    socket.on("end", () => endings.push("end"));
    socket.resume();
    socket.write(HEADERS);
    sendEndlessly(socket);
  });
  return { port, endings };
}

/** What curl makes of an answer that its server finishes in this way. */
async function curlFrom(finish: (socket: Socket) => void) {
  const backend = await startBackend((socket) => {
    socket.once("data", () => {
      socket.write(HEADERS);
      socket.write(CHUNK, () => finish(socket));
    });
  });
  const { port } = await linkGateways([backend]);
  return await run(["curl", "--silent", "--show-error", `http://127.0.0.1:${port}/`]);
}

describe("an answer without a length (HTTP/1.0), whose end is the end of the connection,", () => {
  test("is a success for curl when the server ends it", async () => {
    const { code, stdout } = await curlFrom((socket) => socket.end());
    expect({ code, bytes: stdout.length }).toEqual({ code: 0, bytes: CHUNK.length });
  });

  test("is an error for curl when the server resets it: it never looks complete", async () => {
    const { code, stderr } = await curlFrom((socket) => socket.resetAndDestroy());
    expect(code).toBe(RECEIVE_FAILED);
    expect(stderr).toContain("Connection reset by peer");
  });
});

test("a server that resets after it ended its own side still resets a client that is sending", async () => {
  const backend = await startBackend((socket) => {
    socket.end("all I have to say");
    socket.once("data", () => socket.resetAndDestroy());
  });
  const { port } = await linkGateways([backend]);
  const socket = await dialMirror(port);
  const failed = new Promise((resolve) => socket.once("close", resolve));
  expect(await heard(socket)).toBe("all I have to sayend");
  sendEndlessly(socket);
  expect(await failed).toBe(true);
});

test("a client that resets in the middle of a download ends the server's connection with an error", async () => {
  const backend = await startDownload();
  const { port } = await linkGateways([backend.port]);
  const socket = await dialMirror(port);
  let receivedBytes = 0;
  socket.on("data", (data: Buffer) => (receivedBytes += data.length));
  await eventually(() => expect(receivedBytes).toBeGreaterThan(8 * CHUNK.length), {
    describe: "the download is under way",
  });
  socket.resetAndDestroy();
  await eventually(() => expect(backend.endings).toHaveLength(1), { describe: "its end" });
  expect(backend.endings[0]).toMatch(/^(ECONNRESET|EPIPE)$/);
});

test("curl killed in the middle of a download ends the server's connection with an error", async () => {
  const backend = await startDownload();
  const { port } = await linkGateways([backend.port]);
  const client = startProcess(["curl", "--silent", `http://127.0.0.1:${port}/`]);
  await eventually(() => expect(client.stdout.length).toBeGreaterThan(8 * CHUNK.length), {
    describe: "the download is under way",
  });
  await client.stop("SIGKILL");
  // Its kernel resets what it had not read, and closes in order when that was nothing: then more data meets a reset.
  await eventually(() => expect(backend.endings.at(-1)).toMatch(/^(ECONNRESET|EPIPE)$/), {
    describe: "its end",
  });
});

test("a client that resets in the middle of an upload never looks to the server like one that finished", async () => {
  let ending = "";
  let receivedBytes = 0;
  const backend = await startBackend((socket) => {
    socket.on("data", (data: Buffer) => (receivedBytes += data.length));
    socket.on("error", (error: NodeJS.ErrnoException) => (ending = error.code ?? "?"));
    socket.on("end", () => (ending = "end"));
  });
  const { port } = await linkGateways([backend]);
  const socket = await dialMirror(port);
  sendEndlessly(socket);
  await eventually(() => expect(receivedBytes).toBeGreaterThan(8 * CHUNK.length), {
    describe: "the upload is under way",
  });
  socket.resetAndDestroy();
  await eventually(() => expect(ending).not.toBe(""), { describe: "the server's end" });
  expect(ending).toBe("ECONNRESET");
});

test("a consumer whose end of stream and reset arrive together leaves no connection behind at the server", async () => {
  const backend = await startDownload();
  const [west, east] = [await createIdentity("west"), await createIdentity("east")];
  const { provider } = await linkGateways([backend.port], { west, east });
  const session = await openRawSession({ port: provider.port, as: east, to: west });
  await session.send(connectRequest(1));
  expect(await session.status(1)).toBe(200);
  await session.until(
    "the download",
    ({ type, streamId }) => type === FRAME.data && streamId === 1,
  );
  // So closes a client that ends and then refuses what still comes.
  const end = frame(FRAME.data, { streamId: 1, flags: FLAG.endStream });
  await session.send(end, rstStream(1));
  await eventually(() => expect(backend.endings).toHaveLength(2), { describe: "its end" });
  expect(backend.endings[0]).toBe("end");
  expect(backend.endings[1]).toMatch(/^(ECONNRESET|EPIPE)$/);
});
