import path from "node:path";
import { expect, test } from "vitest";
import { runOk } from "../../bed/command.ts";
import { eventually } from "../fixtures.ts";
import { linkGateways } from "../gateway/linked-gateways.ts";
import { startServer } from "./real-process.ts";

const PEER = ["/usr/bin/python3", path.join(import.meta.dirname, "grpc-peer.py")];

test("gRPC works: a large message, status in trailers, 2000 turns in one stream, cancellation", async () => {
  const server = await startServer((port) => [...PEER, "serve", String(port)]);
  const { port } = await linkGateways([server.port]);
  const seen: unknown = JSON.parse(await runOk([...PEER, "call", String(port)]));
  expect(seen).toEqual({
    unary: true,
    trailer: String(4 * 1024 * 1024),
    refusal: ["NOT_FOUND", "no such thing: me"],
    turns: true,
    cancelled: "CANCELLED",
  });
  await eventually(() => expect(server.process.stdout).toContain("the call is over"), {
    describe: "the server hears of the cancellation",
  });
});
