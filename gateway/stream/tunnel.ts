import { type Http2Stream, constants } from "node:http2";
import type { Socket } from "node:net";

/** How a tunnel ended, seen from the TCP connection. */
export interface TunnelEnd {
  /** `ended`: both directions were closed in order; `reset`: either side was cut off. */
  result: "ended" | "reset";
  /** Which side was cut first, empty after an orderly end. */
  reason: "" | "ConnectionReset" | "StreamReset";
  bytesToStream: number;
  bytesFromStream: number;
}

/**
 * Joins a TCP connection and an HTTP/2 stream until both are closed: what ends
 * on one side ends in that direction on the other (half-close), and a reset on
 * one side is a reset on the other (RFC 9113 section 8.5: CONNECT_ERROR for a
 * TCP error). Neither side is read faster than the other takes it. The socket
 * must have been made with `allowHalfOpen`.
 */
export function joinTunnel(
  socket: Socket,
  stream: Http2Stream,
  onEnd: (end: TunnelEnd) => void,
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
    stream.close(constants.NGHTTP2_CANCEL);
    socket.resetAndDestroy();
    report();
    return;
  }

  let open = 2;
  const closed = () => {
    open -= 1;
    if (open === 0) report();
  };
  socket.once("close", (hadError) => {
    const inOrder = !hadError && socket.readableEnded && socket.writableFinished;
    if (!inOrder && !stream.destroyed) {
      reason ||= "ConnectionReset";
      stream.close(hadError ? constants.NGHTTP2_CONNECT_ERROR : constants.NGHTTP2_CANCEL);
    }
    closed();
  });
  stream.once("close", () => {
    const code = stream.rstCode ?? constants.NGHTTP2_NO_ERROR;
    const inOrder =
      code === constants.NGHTTP2_NO_ERROR && stream.readableEnded && stream.writableFinished;
    if (!inOrder && !socket.destroyed) {
      reason ||= "StreamReset";
      socket.resetAndDestroy();
    }
    closed();
  });
  socket.pipe(stream);
  stream.pipe(socket);
}

function ignore(): void {
  // `close` follows and decides.
}
