import { type ChildProcess, fork } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { type Socket, connect as connectTcp } from "node:net";
import path from "node:path";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { expect, onTestFailed, onTestFinished, test } from "vitest";
import { gatewayIdentity, peerServerName } from "../../../api/names.ts";
import { clientTlsOptions } from "../../../pki/tls.ts";
import type { Holdings, IngressRequest } from "../../fuzz/ingress-process.ts";
import {
  type MalformedSession,
  malformedSession,
  seededRandom,
} from "../../fuzz/malformed-session.ts";
import { eventually } from "../fixtures.ts";
import { FRAME } from "./raw-frames.ts";
import { RawSession } from "./raw-session.ts";
import { type Identity, createIdentity } from "./two-gateways.ts";

const FUZZ_MS = Number(process.env["ISTHMUS_FUZZ_SECONDS"] ?? 5) * 1000;
const SEED = Number(process.env["ISTHMUS_FUZZ_SEED"] ?? randomInt(2 ** 31));
const CLIENTS = 8;
/** How long a hostile client stays after its last byte. */
const LATE_MS = 150;
/** What the heap may have grown by, once caches are full. */
const HEAP_GROWTH_BYTES = 8 * 1024 * 1024;
/** Within this the ingress has found every client that left without a word. */
const LEFTOVER_BOUND_MS = 30_000;
const HONEST_BOUND_MS = 30_000;

/** The ingress process, killed with the test. */
class IngressProcess {
  readonly child: ChildProcess;
  #exit: string | undefined;

  constructor() {
    this.child = fork(path.join(import.meta.dirname, "../../fuzz/ingress-process.ts"), {
      execArgv: ["--expose-gc"],
    });
    onTestFinished(() => void this.child.kill("SIGKILL"));
    this.child.once("exit", (code, signal) => (this.#exit = `exited with ${signal ?? code ?? ""}`));
  }

  /** Alive, or how it ended. */
  get state(): string {
    return this.#exit ?? "alive";
  }

  async ask<T>(request: IngressRequest): Promise<T> {
    if (this.#exit !== undefined) throw new Error(this.#exit);
    const answer = once(this.child, "message", { signal: AbortSignal.timeout(HONEST_BOUND_MS) });
    this.child.send(request);
    const [message]: T[] = await answer;
    if (message === undefined) throw new Error("no answer");
    return message;
  }
}

const tlsOf = (from: Identity, to: Identity) =>
  clientTlsOptions({
    leaf: from.leaf,
    bundlePem: to.ca.certificatePem,
    identity: gatewayIdentity(to.name),
    serverName: peerServerName(from.name),
  });

/** Makes requests one after the other until told to stop; every echo must be what was sent. */
async function beHonest(session: ClientHttp2Session, stopping: AbortSignal) {
  let requests = 0;
  const wrong: string[] = [];
  while (!stopping.aborted && wrong.length === 0) {
    const sent = randomBytes(randomInt(1, 20_000));
    const stream = session.request(
      { ":method": "CONNECT", ":authority": "web.shop.svc:80" },
      { signal: AbortSignal.timeout(HONEST_BOUND_MS) },
    );
    try {
      stream.end(sent);
      if (!sent.equals(await buffer(stream))) wrong.push("not what was sent");
    } catch (error) {
      wrong.push(String(error));
    }
    requests += 1;
  }
  return { requests, wrong };
}

/** How the ingress took it: answers and GOAWAYs by code. */
type Reactions = Map<string, number>;

function note(reactions: Reactions, { frames, ending }: RawSession): void {
  const seen = frames.some(({ type }) => type === FRAME.headers) ? ["answer"] : [];
  if (typeof ending === "object" && "goaway" in ending) seen.push(`goaway ${ending.goaway}`);
  for (const one of seen) reactions.set(one, (reactions.get(one) ?? 0) + 1);
}

async function attack(
  { layer, chunks, leaves }: MalformedSession,
  options: { port: number; tls: ReturnType<typeof tlsOf>; reactions: Reactions },
): Promise<void> {
  const tcp = connectTcp({ host: "127.0.0.1", port: options.port });
  const ended = once(tcp, "close").catch(() => undefined);
  tcp.on("error", () => undefined);
  if (layer === "tcp") {
    for (const chunk of chunks) tcp.write(chunk);
  } else {
    const socket = connectTls({ ...options.tls, socket: tcp });
    const session = new RawSession(socket);
    tcp.once("close", () => note(options.reactions, session));
    await Promise.race([once(socket, "secureConnect"), ended]).catch(() => undefined);
    for (const [index, chunk] of chunks.entries()) {
      const below = layer === "record" && index === chunks.length - 1;
      await write(below ? tcp : socket, chunk);
    }
  }
  await Promise.race([ended, sleep(leaves === "late" ? LATE_MS : 5)]);
  if (leaves === "reset") tcp.resetAndDestroy();
  else if (leaves === "orderly") tcp.end();
  await Promise.race([ended, sleep(LATE_MS)]);
  tcp.destroy();
  await ended;
}

async function write(socket: Socket, chunk: Buffer): Promise<void> {
  if (socket.destroyed) return;
  await new Promise<void>((resolve) => {
    socket.write(chunk, () => resolve());
  });
}

test(
  "malformed HTTP/2 neither crashes the ingress, nor leaks, nor harms an honest consumer",
  { timeout: FUZZ_MS + 90_000 },
  async () => {
    onTestFailed(() => console.error(`ISTHMUS_FUZZ_SEED=${SEED}`));
    const [west, east, north] = await Promise.all([
      createIdentity("west"),
      createIdentity("east"),
      createIdentity("north"),
    ]);
    const ingress = new IngressProcess();
    const port = await ingress.ask<number>({ do: "serve", west, consumers: [east, north] });
    const reactions: Reactions = new Map();
    const random = seededRandom(SEED);
    let attacks = 0;
    const attackUntil = async (isOver: () => boolean) => {
      const client = async () => {
        while (!isOver() && ingress.state === "alive") {
          attacks += 1;
          await attack(malformedSession(random), { port, tls: tlsOf(north, west), reactions });
        }
      };
      await Promise.all(Array.from({ length: CLIENTS }, client));
    };

    // What is made once, and kept, is made now.
    await attackUntil(() => attacks >= 100);
    const before = await ingress.ask<Holdings>({ do: "count" });

    const session = connectHttp2(`https://127.0.0.1:${port}`, tlsOf(east, west));
    onTestFinished(() => session.destroy());
    const stopping = new AbortController();
    const honest = beHonest(session, stopping.signal);
    const endMs = performance.now() + FUZZ_MS;
    await attackUntil(() => performance.now() >= endMs);
    stopping.abort();
    const { requests, wrong } = await honest;
    session.destroy();

    expect(ingress.state).toBe("alive");
    expect(wrong).toEqual([]);
    expect(requests).toBeGreaterThan(0);
    const after = await eventually(
      async () => {
        const now = await ingress.ask<Holdings>({ do: "count" });
        const { sessions, activeStreams } = now;
        expect(`${sessions} sessions, ${activeStreams} streams`).toBe("0 sessions, 0 streams");
        expect(now.fileDescriptors).toBeLessThanOrEqual(before.fileDescriptors);
        expect(now.heapBytes).toBeLessThan(before.heapBytes + HEAP_GROWTH_BYTES);
        return now;
      },
      { describe: "nothing is left of it", timeoutMs: LEFTOVER_BOUND_MS },
    );
    console.info(
      `fuzz: seed ${SEED}, ${attacks} hostile clients, ${after.accepted} sessions, ${requests} honest requests, heap ${before.heapBytes} to ${after.heapBytes} bytes, ${JSON.stringify(Object.fromEntries(reactions))}`,
    );
    // It came as far as it was meant to.
    expect(after.accepted).toBeGreaterThan(attacks / 4);
    expect(reactions.get("answer")).toBeGreaterThan(0);
    expect(
      [...reactions.keys()].filter((kind) => kind.startsWith("goaway")).length,
    ).toBeGreaterThan(2);
  },
);
