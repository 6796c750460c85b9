import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runOk } from "../../bed/command.ts";
import { eventually } from "../fixtures.ts";
import { linkGateways } from "../gateway/linked-gateways.ts";
import { startBackend } from "../gateway/loopback.ts";
import { startProcess, startServer } from "./real-process.ts";

const MIB = 1024 * 1024;
const FILE_BYTES = 48 * MIB;
const CURL = ["curl", "--silent", "--show-error", "--fail"];

/** A folder with a file of random bytes, and its SHA-256. */
let folder: string;
let digest: string;

const inFolder = (name: string) => path.join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "isthmus-bulk-"));
  const bytes = randomBytes(FILE_BYTES);
  digest = createHash("sha256").update(bytes).digest("hex");
  await writeFile(inFolder("file"), bytes);
});

afterAll(async () => await rm(folder, { recursive: true }));

test("four downloads of 48 MiB at the same time arrive unchanged", async () => {
  const server = await startServer((port) => [
    "/usr/bin/python3",
    "-m",
    "http.server",
    "--bind",
    "127.0.0.1",
    "--directory",
    folder,
    String(port),
  ]);
  const { port } = await linkGateways([server.port]);
  const copies = [1, 2, 3, 4].map((number) => inFolder(`copy-${number}`));
  const url = `http://127.0.0.1:${port}/file`;
  const wanted = copies.flatMap((copy) => ["--output", copy, url]);
  await runOk([...CURL, "--parallel", "--parallel-immediate", ...wanted]);
  const sums = (await runOk(["sha256sum", ...copies])).trim().split("\n");
  expect(sums.map((line) => line.split(" ")[0])).toEqual(copies.map(() => digest));
});

test("an upload of 48 MiB arrives unchanged, and its answer comes back", async () => {
  const server = createServer((request, response) => {
    const hash = createHash("sha256");
    void pipeline(request, hash).then(() => response.end(hash.digest("hex")));
  });
  const backend = await startBackend((socket) => server.emit("connection", socket));
  const { port } = await linkGateways([backend]);
  const url = `http://127.0.0.1:${port}/`;
  expect(await runOk([...CURL, "--upload-file", inFolder("file"), url])).toBe(digest);
});

test("a client that reads slowly slows its server down: what lies between them is bounded", async () => {
  let server: Socket | undefined;
  const backend = await startBackend((socket) => {
    server = socket;
    const chunk = Buffer.alloc(MIB, "x");
    const send = () => {
      while (!socket.destroyed && socket.write(chunk)) {
        // As fast as it takes it.
      }
    };
    socket.on("drain", send);
    socket.write("HTTP/1.0 200 OK\r\n\r\n");
    send();
  });
  const { port } = await linkGateways([backend]);
  const slow = inFolder("slow");
  const beforeBytes = process.memoryUsage().rss;
  startProcess([...CURL, "--limit-rate", "8M", "--output", slow, `http://127.0.0.1:${port}/`]);
  const readBytes = await eventually(
    async () => {
      const { size } = await stat(slow);
      if (size < 12 * MIB) throw new Error(`${size} bytes read`);
      return size;
    },
    { describe: "the client has read 12 MiB" },
  );
  // Kernel buffers of three loopback connections (up to 6 + 4 MiB each) and one stream's windows.
  const takenBytes = (server?.bytesWritten ?? 0) - (server?.writableLength ?? 0);
  expect(takenBytes).toBeGreaterThan(readBytes);
  expect(takenBytes - readBytes).toBeLessThan(32 * MIB);
  expect(process.memoryUsage().rss - beforeBytes).toBeLessThan(64 * MIB);
});
