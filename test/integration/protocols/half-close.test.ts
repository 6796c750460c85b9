import { createHash, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { eventually } from "../fixtures.ts";
import { linkGateways } from "../gateway/linked-gateways.ts";
import { startProcess, startServer } from "./real-process.ts";
import { tcpSockets } from "./tcp-table.ts";

/** Long enough not to fit into the buffers on the way. */
const QUESTION = randomBytes(12 * 1024 * 1024);

async function stateTowards(remotePort: number): Promise<string> {
  const sockets = await tcpSockets();
  return sockets.find((socket) => socket.remotePort === remotePort)?.state ?? "none";
}

test("a client that closes first (nc -N) still reads an answer which needs the end of its question", async () => {
  const server = await startServer((port) => [
    "socat",
    // How long it waits for the one side once the other has ended.
    "-t30",
    `TCP-LISTEN:${port},bind=127.0.0.1,fork,reuseaddr`,
    "EXEC:sha256sum",
  ]);
  const { port } = await linkGateways([server.port]);
  const client = startProcess(["nc", "-N", "127.0.0.1", String(port)]);
  await client.write(QUESTION);
  client.endInput();
  expect(`${await client.ended()} ${client.stderr}`).toBe("0 ");
  expect(client.stdout).toBe(`${createHash("sha256").update(QUESTION).digest("hex")}  -\n`);
});

test("a server that closes first (nc -N) still receives what the client sends after that", async () => {
  const server = await startServer((port) => ["nc", "-N", "-l", "127.0.0.1", String(port)]);
  const { port } = await linkGateways([server.port]);
  const client = startProcess(["nc", "-N", "127.0.0.1", String(port)]);
  await server.process.write("banner");
  server.process.endInput();
  await eventually(async () => expect(await stateTowards(port)).toBe("CLOSE_WAIT"), {
    describe: "the client has the server's end",
  });
  expect(client.stdout).toBe("banner");
  const text = QUESTION.toString("base64");
  await client.write(text);
  client.endInput();
  expect(`${await client.ended()} ${client.stderr}`).toBe("0 ");
  expect(await server.process.ended()).toBe(0);
  expect(server.process.stdout === text).toBe(true);
});
