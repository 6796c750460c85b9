import { once } from "node:events";
import { type Socket, connect } from "node:net";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { eventually } from "../fixtures.ts";
import { boundsReached, untilReached } from "./bound-counts.ts";
import { isServed, resetCode, sessionOf, startWest } from "./bounded-west.ts";
import { type Clusters, createClusters } from "./identities.ts";
import { heard } from "./loopback.ts";
import { FLAG, FRAME, PREFACE, connectRequest, frame, headers, rstStream } from "./raw-frames.ts";

let clusters: Clusters;

beforeAll(async () => {
  clusters = await createClusters();
});

const ENHANCE_YOUR_CALM = { goaway: 11 };
const PROTOCOL_ERROR = { goaway: 1 };
const REFUSED_STREAM = 7;

/** A TCP connection to a gateway that says nothing of itself; ended with the test. */
async function connectTo(port: number): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port });
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

describe("before a client has shown who it is", () => {
  test("a new handshake takes the place of the oldest, so that those who wait keep nobody out", async () => {
    const provider = await startWest(clusters, { maxHandshakes: 3 });
    const ends: Promise<string>[] = [];
    for (let count = 0; count < 5; count += 1) ends.push(heard(await connectTo(provider.port)));
    expect(await Promise.all(ends.slice(0, 2))).toEqual(["ECONNRESET", "ECONNRESET"]);
    expect(await isServed(await sessionOf(clusters.east, provider))).toBe(true);
    expect(await ends[2]).toBe("ECONNRESET");
    expect(await boundsReached(provider.registry)).toEqual({ Handshakes: 3 });
  });

  test("a handshake that takes too long is ended", async () => {
    const provider = await startWest(clusters, { handshakeTimeoutMs: 100 });
    const slow = await connectTo(provider.port);
    // The first byte of a ClientHello.
    slow.write(Buffer.of(22));
    await once(slow, "close");
    expect(await untilReached(provider, "HandshakeTimeout")).toBe(1);
  });
});

describe("a session that says nothing whole is ended:", () => {
  const limits = { peerPingIntervalMs: 100, peerPingTimeoutMs: 400, headerTimeoutMs: 800 };

  test("TLS without a word of HTTP/2", async () => {
    const provider = await startWest(clusters, limits);
    const session = await sessionOf(clusters.east, provider, Buffer.alloc(0));
    await session.ended();
    expect(await untilReached(provider, "Silence east")).toBe(1);
  });

  test("a preface that comes byte by byte", async () => {
    const provider = await startWest(clusters, limits);
    const session = await sessionOf(clusters.east, provider, Buffer.alloc(0));
    const drip = setInterval(() => session.socket.write("P"), 50);
    onTestFinished(() => clearInterval(drip));
    session.socket.write(PREFACE.subarray(0, 1));
    await session.ended();
    expect(await untilReached(provider, "Protocol east")).toBe(1);
  });

  test("a header block that comes byte by byte, and no other frame can pass it", async () => {
    const provider = await startWest(clusters, limits);
    const session = await sessionOf(clusters.east, provider);
    await session.until("the gateway's SETTINGS", ({ type }) => type === FRAME.settings);
    // A field with a name of 1127 letters.
    const payload = Buffer.of(0, 0x7f, 0xe8, 0x07);
    await session.send(
      frame(FRAME.headers, { flags: FLAG.endHeaders, streamId: 1, payload, length: 2000 }),
    );
    const drip = setInterval(() => session.socket.write("a"), 50);
    onTestFinished(() => clearInterval(drip));
    expect(await session.ended()).toEqual(ENHANCE_YOUR_CALM);
    await untilReached(provider, "HeaderTimeout east");
  });

  test("but one that only answers PINGs is not", async () => {
    const provider = await startWest(clusters, limits);
    const session = await sessionOf(clusters.east, provider);
    const pings = () => session.frames.filter(({ type }) => type === FRAME.ping).length;
    await eventually(() => expect(pings()).toBeGreaterThan(15), { describe: "15 PINGs" });
    expect(await isServed(session)).toBe(true);
    expect(await boundsReached(provider.registry)).toEqual({});
  });
});

describe("sessions and streams of one peer", () => {
  test("are so many sessions each, and other peers have theirs", async () => {
    const provider = await startWest(clusters, { maxSessionsPerPeer: 2 });
    const first = await sessionOf(clusters.east, provider);
    expect(await isServed(first)).toBe(true);
    expect(await isServed(await sessionOf(clusters.east, provider))).toBe(true);
    expect(await (await sessionOf(clusters.east, provider)).ended()).toEqual(ENHANCE_YOUR_CALM);
    expect(await isServed(await sessionOf(clusters.north, provider))).toBe(true);
    expect(await boundsReached(provider.registry)).toEqual({ "SessionsPerPeer east": 1 });
    first.socket.destroy();
    await eventually(
      async () => expect(await isServed(await sessionOf(clusters.east, provider))).toBe(true),
      {
        describe: "a session takes the place of one that ended",
      },
    );
  });

  test("leave a share of all sessions to the peer that has none", async () => {
    const provider = await startWest(clusters, { maxSessions: 8 });
    // A quarter is kept, one for each of two peers.
    for (let count = 0; count < 7; count += 1) {
      expect(await isServed(await sessionOf(clusters.east, provider))).toBe(true);
    }
    expect(await (await sessionOf(clusters.east, provider)).ended()).toEqual(ENHANCE_YOUR_CALM);
    expect(await isServed(await sessionOf(clusters.north, provider))).toBe(true);
    expect(await boundsReached(provider.registry)).toEqual({ "Sessions east": 1 });
  });

  test("are so many streams over all sessions; a stream too many may be tried elsewhere", async () => {
    const provider = await startWest(clusters, { maxStreamsPerPeer: 2 });
    const [one, other] = [
      await sessionOf(clusters.east, provider),
      await sessionOf(clusters.east, provider),
    ];
    expect(await isServed(one)).toBe(true);
    expect(await isServed(other)).toBe(true);
    await other.send(connectRequest(3));
    expect(await resetCode(other, 3)).toBe(REFUSED_STREAM);
    expect(await isServed(await sessionOf(clusters.north, provider))).toBe(true);
    expect(await boundsReached(provider.registry)).toEqual({ "StreamsPerPeer east": 1 });
    await one.send(rstStream(1));
    await eventually(
      async () => expect(await isServed(await sessionOf(clusters.east, provider))).toBe(true),
      {
        describe: "a stream takes the place of one that ended",
      },
    );
  });

  test("leave their places however they end: reset at once, refused, or with their session", async () => {
    const places = 20;
    const provider = await startWest(clusters, { maxStreamsPerPeer: places });
    const lost = await sessionOf(clusters.east, provider);
    const session = await sessionOf(clusters.east, provider);
    let next = 1;
    const nextId = () => (next += 2);
    for (let round = 0; round < 20; round += 1) {
      const ids = Array.from({ length: places }, nextId);
      await session.send(...ids.flatMap((id) => [connectRequest(id), rstStream(id)]));
      await session.send(connectRequest(nextId(), "web.shop.svc:82"));
      await lost.send(connectRequest(2 * round + 1));
      expect(await session.answersPing()).toBe(true);
    }
    lost.socket.destroy();
    await eventually(
      async () => {
        const fresh = await sessionOf(clusters.east, provider);
        const ids = Array.from({ length: places }, (_, index) => 2 * index + 1);
        await fresh.send(...ids.map((id) => connectRequest(id)));
        expect(await fresh.answersPing()).toBe(true);
        const answers = fresh.frames.filter(({ type }) => type === FRAME.headers);
        const refused = fresh.frames.filter(({ type }) => type === FRAME.rstStream);
        fresh.socket.destroy();
        expect(refused).toEqual([]);
        expect(answers).toHaveLength(places);
      },
      { describe: "all places are free" },
    );
  });

  test("leave a share of all connections to the peer that has none", async () => {
    const provider = await startWest(clusters, { maxConnections: 8 });
    const session = await sessionOf(clusters.east, provider);
    for (let count = 0; count < 7; count += 1) {
      expect(await isServed(session, 2 * count + 1)).toBe(true);
    }
    await session.send(connectRequest(15));
    expect(await resetCode(session, 15)).toBe(REFUSED_STREAM);
    expect(await isServed(await sessionOf(clusters.north, provider))).toBe(true);
    expect(await boundsReached(provider.registry)).toEqual({ "Connections east": 1 });
  });

  test("are so many new streams a second, and a probe still gets its answer", async () => {
    const provider = await startWest(clusters, { maxNewStreamsPerSecond: 1 });
    const session = await sessionOf(clusters.east, provider);
    for (let count = 0; count < 5; count += 1) {
      expect(await isServed(session, 2 * count + 1)).toBe(true);
    }
    await session.send(...[11, 13, 15].map((streamId) => connectRequest(streamId)));
    expect(await resetCode(session, 15)).toBe(REFUSED_STREAM);
    await session.send(
      headers(
        17,
        [
          [":method", "GET"],
          [":scheme", "https"],
          [":path", "/.isthmus/ready"],
          [":authority", "west"],
        ],
        FLAG.endHeaders | FLAG.endStream,
      ),
    );
    expect(await session.status(17)).toBe(200);
    expect(await isServed(await sessionOf(clusters.north, provider))).toBe(true);
    expect(Object.keys(await boundsReached(provider.registry))).toEqual(["NewStreams east"]);
  });

  test("are no more streams in a session than its SETTINGS said", async () => {
    const provider = await startWest(clusters, { maxStreamsPerSession: 2 });
    const session = await sessionOf(clusters.east, provider);
    expect(await isServed(session, 1)).toBe(true);
    await session.send(connectRequest(3), connectRequest(5));
    expect(await session.ended()).toEqual(PROTOCOL_ERROR);
    await untilReached(provider, "Protocol east");
  });
});
