import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type Socket } from "node:net";

/** An HTTP proxy that only knows CONNECT. */
export interface ConnectProxy {
  readonly url: string;
  /** `host:port` of every tunnel asked for. */
  readonly tunnels: readonly string[];
  close(): Promise<void>;
}

/** Starts an HTTP proxy on 127.0.0.1. */
export async function startConnectProxy(): Promise<ConnectProxy> {
  const tunnels: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  server.on("connect", (request, client: Socket) => {
    const authority = request.url ?? "";
    tunnels.push(authority);
    const { hostname, port } = new URL(`https://${authority}`);
    const upstream = connect({ host: hostname, port: Number(port) }, () => {
      client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      upstream.pipe(client).pipe(upstream);
    });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      socket.on("error", () => other.destroy());
      socket.on("close", () => other.destroy());
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    tunnels,
    close: async () => {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
