import type { Http2Session } from "node:http2";
import type { Socket } from "node:net";

/** Checks within one timeout: patience is counted in them, not in time (see {@link watchPings}). */
const CHECKS_PER_TIMEOUT = 4;

/**
 * Sends a PING at once and then one each `intervalMs`, and calls `onDead` when
 * one stays unanswered for `timeoutMs`. Bytes that arrive meanwhile count as
 * life: under load an answer waits its turn behind data. Patience is counted
 * in timer callbacks, so that a stall of our own process (which fires late
 * timers once) is not taken for the silence of the remote. Silence is found
 * at most `intervalMs` + `timeoutMs` after the last byte. Returns a stop
 * function.
 *
 * In a session that is closed (it drains, its streams finish) node:http2 sends
 * no more PINGs: an empty SETTINGS frame asks instead, which changes nothing
 * and must be acknowledged at once, too (RFC 9113 section 6.5.3).
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
    if (stopped || session.destroyed) return;
    const checkMs = options.timeoutMs / CHECKS_PER_TIMEOUT;
    let bytesSeen = socket.bytesRead;
    let patience = CHECKS_PER_TIMEOUT;
    const check = () => {
      // Its socket is no longer to be asked, and whoever destroyed it knows.
      if (session.destroyed) return;
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
    const answered = (rttMs?: number) => {
      if (stopped) return;
      clearTimeout(timer);
      timer = setTimeout(send, options.intervalMs);
      if (rttMs !== undefined) options.onAnswer(rttMs);
    };
    // What comes with an error is followed by the session's `close`.
    if (session.closed) session.settings({}, (error) => error ?? answered());
    else session.ping((error, rttMs) => error ?? answered(rttMs));
  };

  send();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
