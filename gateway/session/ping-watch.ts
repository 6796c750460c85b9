import type { Http2Session } from "node:http2";
import type { Socket } from "node:net";

/** Checks within one timeout: patience is counted in them, not in time (see {@link watchPings}). */
const CHECKS_PER_TIMEOUT = 4;

/**
 * Sends a PING at once and then one each `intervalMs`, and calls `onDead` when
 * one stays unanswered for `timeoutMs`. Bytes that arrive meanwhile count as
 * life: under load an answer waits its turn behind data. Patience is counted
 * in timer callbacks, so that a stall of our own process (which fires late
 * timers once) is not taken for the silence of the remote. Returns a stop
 * function.
 *
 * Once the session is closed (it drains, its streams finish) node:http2 sends
 * no more PINGs, and the watch ends: from then on TCP keep-alive has to tell.
 */
export function watchPings(
  session: Http2Session,
  socket: Pick<Socket, "bytesRead">,
  options: {
    intervalMs: number;
    timeoutMs: number;
    onAnswer(rttMs: number): void;
    onDead(): void;
  },
): () => void {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  const send = () => {
    if (stopped || session.closed) return;
    const checkMs = options.timeoutMs / CHECKS_PER_TIMEOUT;
    let bytesSeen = socket.bytesRead;
    let patience = CHECKS_PER_TIMEOUT;
    const check = () => {
      if (session.closed) return;
      const { bytesRead } = socket;
      patience = bytesRead === bytesSeen ? patience - 1 : CHECKS_PER_TIMEOUT;
      bytesSeen = bytesRead;
      if (patience > 0) {
        timer = setTimeout(check, checkMs);
      } else {
        options.onDead();
      }
    };
    timer = setTimeout(check, checkMs);
    session.ping((error, rttMs) => {
      if (stopped) return;
      clearTimeout(timer);
      if (error !== null) return;
      timer = setTimeout(send, options.intervalMs);
      options.onAnswer(rttMs);
    });
  };

  send();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
