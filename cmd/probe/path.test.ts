import { once } from "node:events";
import {
  type ClientHttp2Session,
  connect,
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import {
  createServer as createTcpServer,
  type Server,
  type Socket,
  connect as tcp,
} from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { type Clock, systemClock } from "../../api/clock.ts";
import { PathTests } from "../../gateway/ingress/path-tests.ts";
import { exchange } from "./exchange.ts";
import { tryWay } from "./path.ts";

const SIZES = [64, 1200, 4000, 16_384];
const signal = new AbortController().signal;
const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function portOf(server: Server | Http2Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  closers.push(() => server.close());
  await once(server, "listening");
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** A gateway's answers to path tests, over HTTP/2 in the clear. */
async function gateway(clock: Clock = systemClock): Promise<number> {
  const tests = new PathTests({ clock });
  const server = createServer();
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    void answer(tests, stream, headers);
  });
  return await portOf(server);
}

async function answer(
  tests: PathTests,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
): Promise<void> {
  const refusal = await tests.serve(stream, headers);
  if (refusal !== undefined) stream.respond({ ":status": refusal.status }, { endStream: true });
}

/** Passes on what it reads at once, until that is more than `maxBytes`: as a lost packet, whose followers wait, too. */
function carry(from: Socket, to: Socket, maxBytes: number): void {
  let isStuck = false;
  from.on("data", (chunk) => {
    isStuck ||= chunk.length > maxBytes;
    if (!isStuck) to.write(chunk);
  });
  from.on("error", () => {});
  from.on("close", () => to.destroy());
}

/** A path that passes on what is read at once, unless it is larger than so many bytes one way. */
async function narrow(port: number, maxBytes: { up: number; down: number }): Promise<number> {
  const server = createTcpServer({ highWaterMark: 64 * 1024, noDelay: true }, (near) => {
    const far = tcp({ port, host: "127.0.0.1", noDelay: true });
    carry(near, far, maxBytes.up);
    carry(far, near, maxBytes.down);
  });
  return await portOf(server);
}

function opener(port: number): () => Promise<ClientHttp2Session> {
  return async () => {
    const session = connect(`http://127.0.0.1:${port}`);
    session.on("error", () => {});
    closers.push(() => session.destroy());
    await once(session, "connect");
    return session;
  };
}

async function ways(port: number) {
  const options = { open: opener(port), signal, sizes: SIZES, tryTimeoutMs: 150 };
  return { up: await tryWay("up", options), down: await tryWay("down", options) };
}

describe("what a path lets through", () => {
  test("is every size, both ways, where nothing is in between", async () => {
    const all = { passedBytes: SIZES };
    expect(await ways(await gateway())).toEqual({ up: all, down: all });
  });

  test("ends at one size, the one way, where larger packets are swallowed there", async () => {
    const max = Number.POSITIVE_INFINITY;
    const all = { passedBytes: SIZES };
    const stuck = { passedBytes: [64, 1200], stuckAtBytes: 4000 };
    const port = await gateway();
    expect(await ways(await narrow(port, { up: 2000, down: max }))).toEqual({
      up: stuck,
      down: all,
    });
    expect(await ways(await narrow(port, { up: max, down: 2000 }))).toEqual({
      up: all,
      down: stuck,
    });
  });

  test("is not known of a gateway that knows no path tests", async () => {
    const server = createServer((_request, response) => response.writeHead(405).end());
    const { up } = await ways(await portOf(server));
    expect(up.untested).toContain("of a version without path tests");
  });

  test("is not known of a gateway that goes away meanwhile", async () => {
    const server = createTcpServer((socket) => socket.end());
    const { down } = await ways(await portOf(server));
    expect(down).toEqual({ passedBytes: [], untested: expect.stringMatching(/./) });
  });
});

async function ask(port: number, answerBytes: string, bodyBytes: number) {
  const session = await opener(port)();
  const headers = { "isthmus-answer-bytes": answerBytes };
  const body = Buffer.alloc(bodyBytes);
  const request = { method: "POST", path: "/.isthmus/path-test", headers, body } as const;
  return await exchange(session, request, { timeoutMs: 2000, signal });
}

describe("a gateway that is asked for a path test", () => {
  test.each(["-1", "1.5", "many", "65537"])("refuses to answer with %s bytes", async (bytes) => {
    expect(await ask(await gateway(), bytes, 1)).toMatchObject({ status: 400, bytes: 0 });
  });

  test("takes 64 KiB and no more", async () => {
    const port = await gateway();
    expect(await ask(port, "65536", 65_536)).toMatchObject({ status: 200, bytes: 65_536 });
    expect(await ask(port, "1", 65_537)).toMatchObject({ status: 400 });
  });

  test("waits ten seconds for what it is sent, and no longer", async () => {
    const slept: number[] = [];
    const sleep = async (durationMs: number) => {
      slept.push(durationMs);
      await Promise.resolve();
    };
    const session = await opener(await gateway({ ...systemClock, sleep }))();
    const path = "/.isthmus/path-test";
    const stream = session.request({ ":method": "POST", ":path": path }, { endStream: false });
    stream.on("error", () => {});
    await once(stream, "close");
    expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
    expect(slept).toEqual([10_000]);
  });

  test("serves eight at once, and others when these have ended", async () => {
    const port = await gateway();
    const session = await opener(port)();
    for (let count = 0; count < 8; count += 1) {
      session
        .request({ ":method": "POST", ":path": "/" }, { endStream: false })
        .on("error", () => {});
    }
    await once(session, "localSettings");
    expect(await ask(port, "1", 1)).toMatchObject({ status: 503 });
    session.destroy();
    await expect.poll(async () => (await ask(port, "1", 1)).status).toBe(200);
  });
});
