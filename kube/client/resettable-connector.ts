import { connect, type Socket } from "node:net";
import { buildConnector } from "undici";

/** Makes the connections of a dispatcher that has one at a time, and can reset it. */
export interface ResettableConnector {
  readonly connect: buildConnector.connector;
  /**
   * Ends the connection with a TCP reset: the kernel forgets what it has not
   * sent or not had acknowledged. After an ordinary close it would go on
   * sending it for minutes.
   */
  readonly reset: () => void;
}

/** @param options TLS material and `timeout` in ms, which bounds each of the two handshakes. */
export function createResettableConnector(
  options: buildConnector.BuildOptions & { timeout: number },
): ResettableConnector {
  const secure = buildConnector({ ...options, allowH2: false });
  let current: Socket | undefined;
  return {
    connect: (target, callback) => {
      const socket = connect({ host: target.hostname, port: Number(target.port || 443) });
      current = socket;
      const fail = (error: Error): void => callback(error, null);
      const giveUp = (): void => {
        const { hostname, port } = target;
        const error = new Error(`${hostname}:${port} took longer than ${options.timeout} ms`);
        socket.destroy(Object.assign(error, { code: "UND_ERR_CONNECT_TIMEOUT" }));
      };
      const timer = setTimeout(giveUp, options.timeout);
      socket.once("error", fail);
      socket.once("close", () => clearTimeout(timer));
      socket.once("connect", () => {
        clearTimeout(timer);
        socket.off("error", fail);
        // From here on errors come out of the TLS socket on top of it.
        socket.on("error", () => {});
        secure({ ...target, httpSocket: socket }, callback);
      });
    },
    reset: () => void current?.resetAndDestroy(),
  };
}
