import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** What the network does to bytes. */
export interface Weather {
  /** Each piece arrives so much later; 0 by default. */
  readonly delayMs?: number;
  /** Chance of a piece to end its connection instead, 0 by default. */
  readonly loss?: number;
  /** Nothing arrives any more, and nobody is told: connections stay, and new ones are accepted. */
  readonly blackHole?: boolean;
}

/** Passes bytes on to another address and counts the connections made to it. */
export interface TcpProxy {
  readonly port: number;
  /** Connections accepted so far. */
  readonly connections: number;
  /** Changes the weather from now on; without anything it is fine again, and what was held back is lost with its connection. */
  setWeather(weather?: Weather): void;
  close(): Promise<void>;
}

/** Starts a proxy on 127.0.0.1 in front of `host:port`. */
export async function startTcpProxy(
  host: string,
  port: number,
  random: () => number = Math.random,
): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let connections = 0;
  let weather: Weather = {};

  async function carry(from: Socket, to: Socket): Promise<void> {
    for await (const piece of from) {
      const { delayMs = 0, loss = 0, blackHole = false } = weather;
      if (random() < loss) break;
      if (blackHole) continue;
      if (delayMs > 0) await sleep(delayMs);
      if (!to.write(piece) && !to.destroyed) await once(to, "drain");
    }
    to.end();
  }

  const server = createServer((client) => {
    connections += 1;
    const upstream = connect({ host, port });
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      carry(from, to).catch(() => to.destroy());
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    get connections() {
      return connections;
    },
    setWeather: (next = {}) => {
      if (weather.blackHole === true) for (const socket of sockets) socket.destroy();
      weather = next;
    },
    close: async () => {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
