import type { Socket } from "node:net";
import { type SeenServerName, readServerName } from "./client-hello.ts";

/**
 * Waits for the ClientHello of a connection, and leaves its bytes in the socket
 * for whoever is given it next. Calls `done` once, with the server name or
 * undefined where there is none; not at all when the connection ends before.
 * Ends it, and calls `onTimeout`, when it takes longer than `timeoutMs`.
 */
export function peekServerName(
  socket: Socket,
  options: {
    timeoutMs: number;
    done: (serverName: string | undefined) => void;
    onTimeout: () => void;
  },
): void {
  let bytes: Buffer = Buffer.alloc(0);
  const release = () => {
    clearTimeout(timer);
    socket.off("readable", read).off("end", end).off("error", end).off("close", release);
  };
  const read = () => {
    for (let chunk: unknown = socket.read(); Buffer.isBuffer(chunk); chunk = socket.read()) {
      bytes = Buffer.concat([bytes, chunk]);
    }
    const seen: SeenServerName = readServerName(bytes);
    if (seen === "incomplete") return;
    release();
    socket.unshift(bytes);
    options.done(seen === "none" ? undefined : seen.serverName);
  };
  const end = () => {
    release();
    socket.destroy();
  };
  const timer = setTimeout(() => {
    options.onTimeout();
    end();
  }, options.timeoutMs).unref();
  socket.on("readable", read).on("end", end).on("error", end).on("close", release);
}
