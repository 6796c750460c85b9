import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { DEFAULT_GATEWAY_LIMITS } from "../../../gateway/limits/limits.ts";
import { eventually } from "../fixtures.ts";
import { boundsReached, untilReached } from "./bound-counts.ts";
import { isServed, sessionOf, startWest } from "./bounded-west.ts";
import { type Clusters, createClusters } from "./identities.ts";
import { dialMirror, hear, heard, startBackend, startEcho } from "./loopback.ts";
import { FRAME, type Frame, SETTING, connectRequest, frame, settings } from "./raw-frames.ts";
import { startConsumer, startProvider } from "./two-gateways.ts";

let clusters: Clusters;

beforeAll(async () => {
  clusters = await createClusters();
});

const FLOW_CONTROL_ERROR = { goaway: 3 };

/** A backend that accepts nothing, and whose queue is full: the kernel does not answer any more. */
async function startFull(): Promise<number> {
  const program = `
    const server = require("node:net").createServer();
    server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
      require("node:fs").writeSync(1, String(server.address().port));
      process.kill(process.pid, "SIGSTOP");
    });`;
  const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const port = Number(String(await once(child.stdout, "data")));
  for (let count = 0; count < 4; count += 1) {
    const socket = connect({ host: "127.0.0.1", port });
    onTestFinished(() => void socket.destroy());
    socket.on("error", () => undefined);
  }
  return port;
}

/** A backend that reads nothing. */
async function startDeaf(): Promise<number> {
  return await startBackend((socket) => socket.pause());
}

function isSessionUpdate({ type, streamId }: Frame): boolean {
  return type === FRAME.windowUpdate && streamId === 0;
}

describe("bytes that are held", () => {
  test("a consumer that sends beyond its window is ended", async () => {
    const window = 65_535;
    const provider = await startWest(
      clusters,
      { streamWindowBytes: window, sessionWindowBytes: window },
      await startDeaf(),
    );
    const session = await sessionOf(clusters.east, provider);
    expect(await isServed(session)).toBe(true);
    // The endpoint's kernel takes some megabytes before the window stays shut.
    const payload = Buffer.alloc(16_384);
    while (session.ending === undefined) {
      await session.send(
        ...Array.from({ length: 64 }, () => frame(FRAME.data, { streamId: 1, payload })),
      );
    }
    expect(await session.ended()).toEqual(FLOW_CONTROL_ERROR);
    await untilReached(provider, "Protocol east");
  });

  test("a peer whose answers are not read is refused new streams, then loses a session; others go on", async () => {
    const limits = {
      maxBufferedBytesPerPeer: 256 * 1024,
      maxBufferedBytes: 512 * 1024,
      peerPingIntervalMs: 200,
      headerTimeoutMs: 800,
    };
    const chunk = Buffer.alloc(1024 * 1024);
    const provider = await startWest(
      clusters,
      limits,
      await startBackend((socket) => socket.write(chunk)),
    );
    provider.export("echo", [await startEcho()]);
    const session = await sessionOf(clusters.east, provider);
    // A window of nothing: whatever the endpoints say has to be held.
    await session.send(settings([SETTING.initialWindowSize, 0]));
    await session.send(...Array.from({ length: 40 }, (_, index) => connectRequest(2 * index + 1)));
    await session.ended();
    await untilReached(provider, "BufferedBytesPerPeer east");
    const other = await sessionOf(clusters.north, provider);
    await other.send(connectRequest(1, "echo.shop.svc:80"));
    expect(await other.status(1)).toBe(200);
  });

  test("a peer has full windows for so many bytes; further sessions have the smallest", async () => {
    const { sessionWindowBytes } = DEFAULT_GATEWAY_LIMITS;
    const provider = await startWest(clusters, { maxWindowBytesPerPeer: sessionWindowBytes + 1 });
    const first = await sessionOf(clusters.east, provider);
    const grown = await first.until("a larger window", isSessionUpdate);
    expect(grown.payload.readUInt32BE(0)).toBe(sessionWindowBytes - 65_535);
    const second = await sessionOf(clusters.east, provider);
    expect(await isServed(second)).toBe(true);
    expect(second.frames.filter(isSessionUpdate)).toEqual([]);
    expect(await boundsReached(provider.registry)).toEqual({ "WindowBytes east": 1 });
  });
});

test("honest traffic is no overhead, however much and however small", async () => {
  const provider = await startWest(clusters, {
    maxOverheadBytesPerSecond: 8192,
    maxStreamErrorsPerSecond: 1,
    peerPingIntervalMs: 200,
    headerTimeoutMs: 800,
  });
  const consumer = startConsumer(clusters.east, { sessionsPerAddress: 1 });
  consumer.link(clusters.west, provider.port);
  const port = await consumer.mirror("west", "web");
  await consumer.untilOpen(port);
  const [bulk, words] = [await dialMirror(port), await dialMirror(port)];
  let echoedBytes = 0;
  bulk.on("data", (chunk: Buffer) => (echoedBytes += chunk.length));
  const sentBytes = 32 * 1024 * 1024;
  bulk.end(Buffer.alloc(sentBytes));
  for (let count = 0; count < 1000; count += 1) {
    words.write("word");
    await once(words, "data");
  }
  for (let round = 0; round < 4; round += 1) {
    const answers = await Promise.all(Array.from({ length: 100 }, () => hear(port, "x")));
    expect(new Set(answers)).toEqual(new Set(["xend"]));
  }
  await eventually(() => expect(echoedBytes).toBe(sentBytes), { describe: "all is echoed" });
  expect(await boundsReached(provider.registry)).toEqual({});
  expect(await provider.accepted()).toBe(1);
});

test("an endpoint that takes no connection in time counts, and the client is reset", async () => {
  const provider = await startWest(clusters, { endpointConnectTimeoutMs: 100 }, await startFull());
  const consumer = startConsumer(clusters.east);
  consumer.link(clusters.west, provider.port);
  const port = await consumer.mirror("west", "web");
  await consumer.untilOpen(port);
  expect(await hear(port, "x")).toBe("ECONNRESET");
  expect(await boundsReached(provider.registry)).toEqual({ "EndpointConnectTimeout east": 1 });
});

test("a stream on which no byte moves is reset after a while, one that moves is not", async () => {
  const limits = { idleStreamTimeoutMs: 600 };
  const provider = await startWest(clusters, limits);
  const consumer = startConsumer(clusters.north);
  consumer.link(clusters.west, provider.port);
  const port = await consumer.mirror("west", "web");
  await consumer.untilOpen(port);
  const [idle, busy] = [await dialMirror(port), await dialMirror(port)];
  let echoed = 0;
  busy.on("data", (data: Buffer) => (echoed += data.length));
  const talk = setInterval(() => busy.write("x"), 50);
  onTestFinished(() => clearInterval(talk));
  expect(await heard(idle)).toBe("ECONNRESET");
  const before = echoed;
  await eventually(() => expect(echoed).toBeGreaterThan(before + 20), { describe: "it goes on" });
  expect(await boundsReached(provider.registry)).toEqual({ "IdleStreams north": 1 });
});

test("clients of one link are so many; those of another link are served", async () => {
  const [provider, southern] = [
    await startWest(clusters, {}),
    await startProvider(clusters.north, [clusters.east]),
  ];
  southern.export("web", [await startEcho()]);
  const consumer = startConsumer(clusters.east, { limits: { maxConnectionsPerLink: 2 } });
  consumer.link(clusters.west, provider.port);
  consumer.link(clusters.north, southern.port);
  const port = await consumer.mirror("west", "web");
  const otherPort = await consumer.mirror("north", "web");
  await consumer.untilOpen(port);
  await consumer.untilOpen(otherPort);
  const [first] = [await dialMirror(port), await dialMirror(port)];
  expect(await hear(port, "x")).toBe("ECONNRESET");
  expect(await hear(otherPort, "x")).toBe("xend");
  expect(await boundsReached(consumer.registry)).toEqual({ "ConnectionsPerLink west": 1 });
  first.destroy();
  await eventually(async () => expect(await hear(port, "x")).toBe("xend"), {
    describe: "a client takes the place of one that left",
  });
});
