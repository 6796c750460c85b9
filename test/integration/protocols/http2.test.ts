import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { run, runOk } from "../../bed/command.ts";
import { linkGateways } from "../gateway/linked-gateways.ts";
import { type RealServer, launchServer } from "./real-process.ts";

/** nghttp2's client, load generator and server speak HTTP/2 without TLS (h2c) inside the tunnel. */

let folder: string;
let server: RealServer;
let port: number;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "isthmus-http2-"));
  await writeFile(path.join(folder, "small"), "x".repeat(1024));
  server = await launchServer((free) => [
    "nghttpd",
    "--no-tls",
    "--address=127.0.0.1",
    `--htdocs=${folder}`,
    "--echo-upload",
    "--trailer=x-sum: 42",
    "--max-concurrent-streams=200",
    String(free),
  ]);
});

afterAll(async () => {
  await server.process.stop();
  await rm(folder, { recursive: true });
});

beforeEach(async () => {
  ({ port } = await linkGateways([server.port]));
});

test("10,000 requests in 4 connections of 100 concurrent streams: none fails", async () => {
  const url = `http://127.0.0.1:${port}/small`;
  const printed = await runOk(["h2load", "-n", "10000", "-c", "4", "-m", "100", url]);
  expect(printed).toContain("10000 total, 10000 started, 10000 done, 10000 succeeded, 0 failed");
  expect(printed).toContain("10000 2xx");
});

test("an upload of 8 MB comes back unchanged, and trailers follow the data", async () => {
  const body = path.join(folder, "body");
  const text = randomBytes(6 * 1024 * 1024).toString("base64");
  await writeFile(body, text);
  const url = `http://127.0.0.1:${port}/echo`;
  const { stdout, code } = await run(["nghttp", `--data=${body}`, "--trailer=x-end: 1", url]);
  expect(code).toBe(0);
  expect(sha256(stdout)).toBe(sha256(text));

  const verbose = await runOk(["nghttp", "-v", "-n", `http://127.0.0.1:${port}/small`]);
  expect(verbose).toContain("x-sum: 42");
});

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
