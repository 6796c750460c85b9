import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { buffer } from "node:stream/consumers";
import { Consumer, type Identity, Provider, peerOf } from "./two-gateways.ts";

/**
 * One end of a long path, as a process in its namespace: the provider's
 * gateway with a backend that echoes, or the consumer's with its clients. Does
 * what each message from the test asks, and answers it.
 */
export type SideRequest =
  | { do: "serve"; west: Identity; east: Identity; port: number }
  | { do: "link"; west: Identity; east: Identity; address: string; port: number }
  | { do: "use"; seconds: number; bytes: number }
  | { do: "useUntilRefused"; boundMs: number }
  | { do: "untilOpen" };

export interface Used {
  /** How often each ending was seen: `intact`, `corrupt`, `hanging`, or an error code. */
  endings: Record<string, number>;
  durationMs: number;
  /** `link open: …` and `link closed: …`, since the beginning. */
  transitions: string[];
  sessionFailures: number;
  /** Of all PINGs so far, in seconds. */
  meanPingSeconds: number;
}

let mirrorPort = 0;
let consumer: Consumer | undefined;
const lines: string[] = [];

async function serve(west: Identity, east: Identity, port: number): Promise<void> {
  const echo = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    socket.pipe(socket);
  }).listen(0, "127.0.0.1");
  await once(echo, "listening");
  const provider = new Provider(west, { host: "0.0.0.0", port });
  provider.ingress.setPeers([peerOf(east)]);
  const address = echo.address();
  provider.export("web", [typeof address === "object" && address !== null ? address.port : 0]);
  await provider.ingress.start();
}

async function link(west: Identity, east: Identity, address: string, port: number): Promise<void> {
  consumer = new Consumer(east, { log: { write: (line) => void lines.push(line) } });
  consumer.link(west, port, { addresses: [address] });
  mirrorPort = await consumer.mirror("west", "web");
  await consumer.untilOpen(mirrorPort);
}

/** Sends so many bytes and says whether the same came back. */
async function attempt(bytes: number, boundMs: number): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port: mirrorPort });
  const sent = randomBytes(bytes);
  const timer = setTimeout(() => socket.destroy(new Error("hanging")), boundMs);
  try {
    socket.end(sent);
    return sent.equals(await buffer(socket)) ? "intact" : "corrupt";
  } catch (error) {
    return error instanceof Error ? String(Reflect.get(error, "code") ?? error.message) : "?";
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

/** Clients that come every 50 ms, whatever became of those before, until `enough`. */
async function use(
  client: () => Promise<string>,
  enough: (ending: string | undefined, durationMs: number) => boolean,
): Promise<Used> {
  const startMs = Date.now();
  const endings: Record<string, number> = {};
  const clients: Promise<void>[] = [];
  let last: string | undefined;
  const next = async () => {
    last = await client();
    endings[last] = (endings[last] ?? 0) + 1;
  };
  while (!enough(last, Date.now() - startMs)) {
    clients.push(next());
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const durationMs = Date.now() - startMs;
  await Promise.all(clients);
  return { endings, durationMs, ...(await seen()) };
}

async function seen(): Promise<Omit<Used, "endings" | "durationMs">> {
  const transitions = lines
    .map((line): { msg: string; cause: string } => JSON.parse(line))
    .filter(({ msg }) => msg.startsWith("link "))
    .map(({ msg, cause }) => `${msg}: ${cause}`);
  const failures = await consumer?.metrics.sessionFailures.get();
  const pings = await consumer?.metrics.pingSeconds.get();
  const total = (suffix: string) =>
    (pings?.values ?? [])
      .filter(({ metricName }) => metricName?.endsWith(suffix) === true)
      .reduce((sum, { value }) => sum + value, 0);
  return {
    transitions,
    sessionFailures: (failures?.values ?? []).reduce((sum, { value }) => sum + value, 0),
    meanPingSeconds: total("_sum") / total("_count"),
  };
}

async function answer(request: SideRequest): Promise<Used | undefined> {
  switch (request.do) {
    case "serve":
      await serve(request.west, request.east, request.port);
      return undefined;
    case "link":
      await link(request.west, request.east, request.address, request.port);
      return undefined;
    case "use":
      return await use(
        () => attempt(request.bytes, 30_000),
        (_last, durationMs) => durationMs > 1000 * request.seconds,
      );
    case "useUntilRefused":
      return await use(
        () => attempt(100, request.boundMs),
        (last, durationMs) => last === "ECONNREFUSED" || durationMs > 2 * request.boundMs,
      );
    case "untilOpen":
      await consumer?.untilOpen(mirrorPort);
      return undefined;
    default:
      throw new Error("not a request");
  }
}

process.on("message", (request: SideRequest) => {
  void answer(request).then((used) => process.send?.(used ?? {}));
});
