import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { boundsReached, untilReached } from "./bound-counts.ts";
import { type Clusters, createClusters } from "./identities.ts";
import { FLOODS, sendFlood } from "./flood.ts";
import { dialMirror, hear, startEcho } from "./loopback.ts";
import { FLAG, FRAME, SETTING, frame, headers, settings } from "./raw-frames.ts";
import { type RawProvider, accepted, answerRequests, startRawProvider } from "./raw-provider.ts";
import { type Consumer, startConsumer, startProvider } from "./two-gateways.ts";

let clusters: Clusters;

beforeAll(async () => {
  clusters = await createClusters();
});

interface World {
  provider: RawProvider;
  consumer: Consumer;
  /** A mirror of the malicious provider's, and one of an honest one's. */
  port: number;
  honestPort: number;
}

/** East linked to a west that does what the test says, and to an honest north. */
async function startWorld(opening?: Buffer): Promise<World> {
  const { west, east, north } = clusters;
  const provider = await startRawProvider(west, east, opening);
  const honest = await startProvider(north, [east]);
  honest.export("web", [await startEcho()]);
  const consumer = startConsumer(east, { sessionsPerAddress: 1 });
  consumer.link(west, provider.port);
  consumer.link(north, honest.port);
  const port = await consumer.mirror("west", "web");
  const honestPort = await consumer.mirror("north", "web");
  await consumer.untilOpen(port);
  await consumer.untilOpen(honestPort);
  return { provider, consumer, port, honestPort };
}

test.each([
  ["PING", "Pings"],
  ["SETTINGS", "Settings"],
  ["SETTINGS with too many entries", "Protocol"],
  ["frames of an unknown type", "Protocol"],
  ["answers to no PING", "Protocol"],
] as const)(
  "a provider's flood of %s ends its session; another link goes on",
  async (name, bound) => {
    const { provider, consumer, honestPort } = await startWorld();
    const [session] = provider.sessions;
    if (session === undefined) throw new Error("no session");
    await sendFlood(session, FLOODS[name], { maxTurns: 1_000_000 });
    await session.ended();
    expect(await untilReached(consumer, `${bound} west`)).toBe(1);
    expect(await hear(honestPort, "x")).toBe("xend");
    expect(Object.keys(await boundsReached(consumer.registry))).toEqual([`${bound} west`]);
  },
);

test.each<[string, (streamId: number) => Buffer]>([
  [
    "too many header fields",
    (streamId) =>
      headers(streamId, [
        [":status", "200"],
        ...Array.from({ length: 40 }, () => ["a", "b"] as const),
      ]),
  ],
  [
    "header fields that are too long",
    (streamId) =>
      headers(streamId, [
        [":status", "200"],
        ["a", "b".repeat(5000)],
      ]),
  ],
])(
  "a client is reset when its provider answers with %s, and the link stays",
  async (_what, answer) => {
    const { provider, consumer, port, honestPort } = await startWorld();
    answerRequests(provider, answer);
    expect(await hear(port, "x")).toBe("ECONNRESET");
    expect(await hear(honestPort, "x")).toBe("xend");
    expect(consumer.egress.openPorts).toContain(port);
  },
);

test("a push ends the session of a provider that was told not to", async () => {
  const { provider, consumer, port } = await startWorld();
  answerRequests(provider, (streamId) =>
    frame(FRAME.pushPromise, {
      flags: FLAG.endHeaders,
      streamId,
      payload: Buffer.of(0, 0, 0, 2, 0x88),
    }),
  );
  expect(await hear(port, "x")).toBe("ECONNRESET");
  expect(await untilReached(consumer, "Protocol west")).toBe(1);
});

test("a provider that allows no streams gets none: clients are reset at once", async () => {
  const { port, honestPort } = await startWorld(settings([SETTING.maxConcurrentStreams, 0]));
  expect(await hear(port, "x")).toBe("ECONNRESET");
  expect(await hear(honestPort, "x")).toBe("xend");
});

/** Writes as long as it is taken, and returns how many bytes were. */
async function writeUntilStuck(socket: Socket): Promise<number> {
  const chunk = Buffer.alloc(256 * 1024);
  let stillFor = 0;
  let lastBytes = -1;
  while (stillFor < 10) {
    while (socket.writableLength === 0) socket.write(chunk);
    await sleep(20);
    const takenBytes = socket.bytesWritten - socket.writableLength;
    stillFor = takenBytes === lastBytes ? stillFor + 1 : 0;
    lastBytes = takenBytes;
  }
  return lastBytes;
}

/** Kernel buffers of two loopback connections, and what one stream may hold. */
const HELD_BYTES = 24 * 1024 * 1024;

test.each<[string, Buffer, (provider: RawProvider) => void]>([
  ["grants no window", settings([SETTING.initialWindowSize, 0]), () => undefined],
  [
    "grants the largest window there is and reads nothing",
    settings([SETTING.initialWindowSize, 2 ** 31 - 1]),
    ({ sessions }) => {
      for (const { socket } of sessions) socket.pause();
    },
  ],
])("little is held for a provider that %s", async (_what, opening, then) => {
  const { provider, port, honestPort } = await startWorld(opening);
  answerRequests(provider, (streamId) => {
    then(provider);
    return accepted(streamId);
  });
  const client = await dialMirror(port);
  const beforeBytes = process.memoryUsage().rss;
  expect(await writeUntilStuck(client)).toBeLessThan(HELD_BYTES);
  expect(process.memoryUsage().rss - beforeBytes).toBeLessThan(2 * HELD_BYTES);
  expect(await hear(honestPort, "x")).toBe("xend");
});
