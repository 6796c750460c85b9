import { randomInt } from "node:crypto";
import { once } from "node:events";
import { type Server, type Socket, connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";

/** Clients, servers and wires on loopback, ended with the test that made them. */

/** A TCP server on loopback, ended with its connections when the test ends; returns its port. */
export async function startBackend(
  onConnection: (socket: Socket) => void,
  { host = "127.0.0.1", port = 0 } = {},
): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    onConnection(socket);
  });
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  server.listen(port, host);
  await once(server, "listening");
  return portOf(server);
}

/** A backend that sends back what it gets. */
export async function startEcho(): Promise<number> {
  return await startBackend((socket) => socket.pipe(socket));
}

/** Connects to a mirrored port; the socket is ended with the test. */
export async function dialMirror(port: number): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

/** Connects and hears how the connection ends: what was received, then `end`, or the error code. */
export async function hear(port: number, send?: string): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  if (send !== undefined) socket.end(send);
  return await heard(socket);
}

/** As {@link hear}, but `hanging` when there is no end within `boundMs`. */
export async function hearWithin(boundMs: number, port: number, send?: string): Promise<string> {
  const bound = new AbortController();
  const late = sleep(boundMs, "hanging", { signal: bound.signal }).catch(() => "");
  const ending = await Promise.race([hear(port, send), late]);
  bound.abort();
  return ending;
}

/** What a socket receives, then `end`, or the error code. */
export async function heard(socket: Socket): Promise<string> {
  let text = "";
  return await new Promise((resolve) => {
    socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
    socket.on("end", () => resolve(`${text}end`));
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(`${text}${error.code ?? ""}`));
  });
}

/** A free port of the range of mirrors. */
export async function freeEgressPort(): Promise<number> {
  for (;;) {
    const server = createServer().listen(randomInt(10_000, 30_000), "127.0.0.1");
    try {
      await once(server, "listening");
    } catch {
      continue;
    }
    const port = portOf(server);
    server.close();
    await once(server, "close");
    return port;
  }
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** A wire to a port of loopback (asked for at each connection) that can go dead without closing anything. */
export interface Wire {
  readonly port: number;
  /** From now on nothing passes and nothing is closed. */
  cut(): void;
  /** New connections pass again; those from before stay dead. */
  mend(): void;
  /** What the kernel does when the process at the far end is killed: ends every connection, with FIN or with RST. */
  kill(how: "FIN" | "RST"): void;
}

/** `at`: where it is reached; a free port of 127.0.0.1 when absent. */
export async function startWire(
  to: () => number,
  at?: { host: string; port: number },
): Promise<Wire> {
  let dead = false;
  const pairs = new Set<readonly [Socket, Socket]>();
  const port = await startBackend((near) => {
    const far = connect({ host: "127.0.0.1", port: to() });
    const pair = [near, far] as const;
    pairs.add(pair);
    for (const [from, into] of [pair, [far, near] as const]) {
      from.on("error", () => into.destroy());
      from.on("close", () => {
        if (!dead) into.destroy();
      });
      if (!dead) from.pipe(into);
    }
  }, at);
  return {
    port,
    cut: () => {
      dead = true;
      for (const [near, far] of pairs) {
        near.unpipe(far).pause();
        far.unpipe(near).pause();
      }
      pairs.clear();
    },
    mend: () => {
      dead = false;
    },
    kill: (how) => {
      dead = true;
      for (const [near, far] of pairs) {
        far.unpipe(near).destroy();
        if (how === "FIN") near.unpipe(far).end();
        else near.resetAndDestroy();
      }
      pairs.clear();
    },
  };
}
