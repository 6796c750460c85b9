import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { runOk } from "../../bed/command.ts";
import { eventually } from "../fixtures.ts";
import { linkGateways } from "../gateway/linked-gateways.ts";
import { type RealServer, launchServer, startProcess } from "./real-process.ts";

/** redis-cli and redis-server, with both gateways between them. */

let server: RealServer;
let port: number;

beforeAll(async () => {
  server = await launchServer((free) => [
    "redis-server",
    "--port",
    String(free),
    "--bind",
    "127.0.0.1",
    // Nothing on disk.
    "--save",
    "",
    "--appendonly",
    "no",
  ]);
});

afterAll(async () => await server.process.stop());

beforeEach(async () => {
  ({ port } = await linkGateways([server.port]));
});

function redisCli(atPort: number, ...args: string[]): string[] {
  return ["redis-cli", "-h", "127.0.0.1", "-p", String(atPort), ...args];
}

/** What the server says to a direct connection, past the gateways. */
async function asked(...command: string[]): Promise<string> {
  return (await runOk(redisCli(server.port, ...command))).trim();
}

async function blockedClients(): Promise<string | undefined> {
  return /blocked_clients:(\d+)/.exec(await asked("info", "clients"))?.[1];
}

test("200,000 pipelined commands get 200,000 answers and no error", async () => {
  const lines = [...Array(200_000).keys()].map(
    (key) => `SET key:${key} value-${key}
`,
  );
  const printed = await runOk(redisCli(port, "--pipe"), { input: lines.join("") });
  expect(printed).toContain("errors: 0, replies: 200000");
  expect(await asked("dbsize")).toBe("200000");
  expect(await runOk(redisCli(port, "get", "key:199999"))).toBe("value-199999\n");
});

test("a blocking command waits, and is answered when there is something", async () => {
  const client = startProcess(redisCli(port, "blpop", "queue", "0"));
  await eventually(async () => expect(await blockedClients()).toBe("1"), {
    describe: "the client is blocked",
  });
  expect(client.stdout).toBe("");
  await asked("rpush", "queue", "job");
  expect(await client.ended()).toBe(0);
  expect(client.stdout).toBe("queue\njob\n");
});

test("messages that the server pushes reach a subscriber, in order", async () => {
  const client = startProcess(redisCli(port, "subscribe", "news"));
  await eventually(async () => expect(await asked("pubsub", "numsub", "news")).toBe("news\n1"), {
    describe: "the subscription",
  });
  const words = Array.from({ length: 50 }, (_, index) => `message-${index}`);
  await runOk(redisCli(server.port), {
    input: words.map((word) => `publish news ${word}\n`).join(""),
  });
  await eventually(() => expect(client.stdout).toContain("message-49"), {
    describe: "the last message",
  });
  expect(client.stdout.match(/message-\d+/g)).toEqual(words);
});

test("the server sees that a client is gone", async () => {
  const client = startProcess(redisCli(port, "blpop", "nothing", "0"));
  await eventually(async () => expect(await blockedClients()).toBe("1"), {
    describe: "it is blocked",
  });
  await client.stop("SIGKILL");
  await eventually(async () => expect(await blockedClients()).toBe("0"), {
    describe: "it is gone",
  });
});
