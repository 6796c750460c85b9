import type { Http2Session } from "node:http2";
import type { Socket } from "node:net";

const REAP_INTERVAL_MS = 2000;

/**
 * Destroys the socket of a session that was destroyed and does not close.
 * node:http2 waits for its last write, and TLS may never say what became of it
 * (nodejs/node#55804): the connection would stay open for ever, which whoever
 * sends malformed frames could bring about again and again.
 */
export function reapWhenDestroyed(session: Http2Session, socket: Pick<Socket, "destroy">): void {
  let wasDestroyed = false;
  const timer = setInterval(() => {
    if (wasDestroyed) socket.destroy();
    wasDestroyed = session.destroyed;
  }, REAP_INTERVAL_MS).unref();
  session.once("close", () => clearInterval(timer));
}
