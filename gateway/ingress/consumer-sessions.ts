import { type ServerHttp2Session, constants } from "node:http2";
import type { TLSSocket } from "node:tls";
import type { TrustedPeer } from "../../pki/tls.ts";
import { verifyLeaf } from "../../pki/certificate.ts";
import type { GatewayMetrics } from "../metrics.ts";

/** The sessions that consumers have with this ingress, by consumer. */
export class ConsumerSessions {
  readonly #byConsumer = new Map<string, Map<ServerHttp2Session, string>>();
  readonly #maxPerConsumer: number;
  readonly #metrics: GatewayMetrics;

  constructor(options: { maxPerConsumer: number; metrics: GatewayMetrics }) {
    this.#maxPerConsumer = options.maxPerConsumer;
    this.#metrics = options.metrics;
  }

  get all(): ServerHttp2Session[] {
    return [...this.#byConsumer.values()].flatMap((sessions) => [...sessions.keys()]);
  }

  /** Keeps a session until it closes; false when the consumer has as many as it may. */
  add(consumer: string, session: ServerHttp2Session, socket: TLSSocket): boolean {
    const sessions = this.#byConsumer.get(consumer) ?? new Map<ServerHttp2Session, string>();
    if (sessions.size >= this.#maxPerConsumer) return false;
    this.#byConsumer.set(consumer, sessions);
    sessions.set(session, socket.getPeerX509Certificate()?.toString() ?? "");
    this.#report(consumer, sessions.size);
    session.once("close", () => {
      sessions.delete(session);
      this.#report(consumer, sessions.size);
      if (sessions.size === 0) this.#byConsumer.delete(consumer);
    });
    return true;
  }

  /** Ends at once every session whose consumer is gone or no longer vouched for by `peers`. */
  revoke(peers: ReadonlyMap<string, TrustedPeer>, nowMs: number): void {
    for (const [consumer, sessions] of this.#byConsumer) {
      const peer = peers.get(consumer);
      for (const [session, certificatePem] of sessions) {
        const trusted = peer !== undefined && verifyLeaf({ ...peer, certificatePem, nowMs }).ok;
        if (!trusted) destroySession(session, "the consumer is not trusted any more");
      }
    }
  }

  /** Ends every session at once. */
  destroy(): void {
    for (const session of this.all) destroySession(session, "the gateway stops");
  }

  #report(consumer: string, count: number): void {
    if (count === 0) this.#metrics.ingressSessions.remove({ consumer });
    else this.#metrics.ingressSessions.set({ consumer }, count);
  }
}

/** Ends a session so that its streams are reset: without an error and a code they would end as if in order. */
function destroySession(session: ServerHttp2Session, why: string): void {
  session.destroy(new Error(why), constants.NGHTTP2_CANCEL);
}
