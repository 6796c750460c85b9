import { type Http2Stream, constants } from "node:http2";
import type { Socket } from "node:net";
import { ignore } from "./ignore.ts";
import { pump } from "./pump.ts";

/** After this much silence TCP asks whether the other end of a carried connection is still there. */
export const KEEP_ALIVE_MS = 60_000;

/** How long a connection that is cut off may take for the last bytes that were sent to it in order. */
const LAST_BYTES_MS = 30_000;

/** How a tunnel ended, seen from the TCP connection. */
export interface TunnelEnd {
  /** `ended`: both directions were closed in order; `reset`: either side was cut off. */
  result: "ended" | "reset";
  /** Which side was cut first, empty after an orderly end. */
  reason: "" | "ConnectionReset" | "StreamReset";
  bytesToStream: number;
  bytesFromStream: number;
}

export interface TunnelEvents {
  onEnd: (end: TunnelEnd) => void;
  /** So many bytes passed, in either direction. */
  onCarried?: ((bytes: number) => void) | undefined;
}

/** Given to a stream to reset it; node:http2 sends INTERNAL_ERROR for it. */
class TunnelResetError extends Error {
  override readonly name = "TunnelResetError";
}

/**
 * Joins a TCP connection and an HTTP/2 stream until both are closed: what ends
 * on one side ends in that direction on the other (half-close), and a reset on
 * one side is a reset on the other (RFC 9113 section 8.5). Neither side is
 * read faster than the other takes it. The socket must have been made with
 * `allowHalfOpen`.
 *
 * A stream is reset by destroying it with an error: its `close(code)` would
 * send END_STREAM before RST_STREAM, and a connection that was cut off would
 * look like one that ended in order.
 */
export function joinTunnel(
  socket: Socket,
  stream: Http2Stream,
  { onEnd, onCarried = () => undefined }: TunnelEvents,
): void {
  let reason: TunnelEnd["reason"] = "";
  const report = () => {
    onEnd({
      result: reason === "" ? "ended" : "reset",
      reason,
      bytesToStream: socket.bytesRead,
      bytesFromStream: socket.bytesWritten,
    });
  };
  // Errors are followed by `close`, which decides.
  socket.on("error", ignore);
  stream.on("error", ignore);
  // What closed before we looked may have no `close` left to emit.
  if (socket.destroyed || stream.destroyed) {
    reason = socket.destroyed ? "ConnectionReset" : "StreamReset";
    stream.destroy(new TunnelResetError(reason));
    socket.resetAndDestroy();
    report();
    return;
  }

  let open = 2;
  const closed = () => {
    open -= 1;
    if (open === 0) report();
  };
  socket.on("close", (hadError) => {
    const inOrder = !hadError && socket.readableEnded && socket.writableFinished;
    if (!inOrder && !stream.destroyed) {
      reason ||= "ConnectionReset";
      stream.destroy(new TunnelResetError(reason));
    }
    closed();
  });
  stream.on("close", () => {
    const inOrder = !wasReset(stream) && stream.readableEnded && stream.writableFinished;
    if (!inOrder && !socket.destroyed) {
      reason ||= "StreamReset";
      cutOff(socket);
    }
    closed();
  });
  // A stream whose session died emits `end` too, and that is not the end of the data.
  stream.on("end", () => {
    if (!wasReset(stream)) socket.end();
  });
  socket.on("end", () => stream.end());
  pump(socket, stream, onCarried);
  pump(stream, socket, onCarried);
}

function wasReset({ rstCode }: Http2Stream): boolean {
  return rstCode !== constants.NGHTTP2_NO_ERROR;
}

/**
 * Resets a connection, once the FIN that is on its way has gone: until then
 * libuv refuses (EINVAL), and node would leave the connection open and read on.
 */
function cutOff(socket: Socket): void {
  if (!socket.writableEnded || socket.writableFinished) {
    socket.resetAndDestroy();
    return;
  }
  socket.pause();
  socket.once("finish", () => socket.resetAndDestroy());
  // Whoever never takes what was sent before the FIN must not keep the connection for ever.
  const timer = setTimeout(() => socket.destroy(), LAST_BYTES_MS);
  socket.once("close", () => clearTimeout(timer));
}
