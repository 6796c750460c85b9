import { type ServerHttp2Session, constants } from "node:http2";
import type { TLSSocket } from "node:tls";
import type { TrustedPeer } from "../../pki/tls.ts";
import { isVouchedFor } from "../../pki/certificate.ts";
import type { BoundReports } from "../limits/bound-reports.ts";
import type { GatewayLimits } from "../limits/limits.ts";
import type { GatewayMetrics } from "../metrics.ts";
import { callAt } from "../session/call-at.ts";
import { watchPings } from "../session/ping-watch.ts";
import type { ConsumerBounds } from "./consumer-bounds.ts";

export interface ConsumerSessionsOptions {
  limits: GatewayLimits;
  bounds: ConsumerBounds;
  nowMs: () => number;
  /** A session was ended from here, and why. */
  onEnded: (consumer: string, why: string) => void;
  reports: BoundReports;
  metrics: GatewayMetrics;
}

/** The sessions that consumers have with this ingress, by consumer. */
export class ConsumerSessions {
  readonly #byConsumer = new Map<string, Map<ServerHttp2Session, string>>();
  readonly #options: ConsumerSessionsOptions;

  constructor(options: ConsumerSessionsOptions) {
    this.#options = options;
  }

  get all(): ServerHttp2Session[] {
    return [...this.#byConsumer.values()].flatMap((sessions) => [...sessions.keys()]);
  }

  /**
   * Keeps a session until it closes; false when a bound does not allow it. Ends it when the consumer is silent for too long; lets it take no
   * more streams once the certificate expires that the consumer showed for it.
   */
  add(consumer: string, session: ServerHttp2Session, socket: TLSSocket): boolean {
    const sessions = this.#byConsumer.get(consumer) ?? new Map<ServerHttp2Session, string>();
    const { limits, bounds, nowMs, reports } = this.#options;
    if (!bounds.admitSession(consumer, session, socket)) return false;
    this.#byConsumer.set(consumer, sessions);
    const certificate = socket.getPeerX509Certificate();
    sessions.set(session, certificate?.toString() ?? "");
    this.#report(consumer, sessions.size);
    this.#options.metrics.ingressAccepted.inc({ consumer });
    const stopPings = watchPings(session, socket, {
      intervalMs: limits.peerPingIntervalMs,
      timeoutMs: limits.peerPingTimeoutMs,
      onAnswer: () => bounds.answered(consumer, session),
      onDead: () => {
        reports.reached("Silence", consumer);
        this.#end(consumer, session, "the consumer does not answer a PING");
      },
    });
    const stopExpiry = callAt(certificate?.validToDate.getTime() ?? 0, nowMs, () =>
      session.close(),
    );
    session.once("close", () => {
      stopPings();
      stopExpiry();
      sessions.delete(session);
      this.#report(consumer, sessions.size);
      if (sessions.size === 0) this.#byConsumer.delete(consumer);
    });
    return true;
  }

  /** Ends at once every session whose consumer is gone or no longer vouched for by `peers`. */
  revoke(peers: ReadonlyMap<string, TrustedPeer>): void {
    this.#options.bounds.keepOnly(peers);
    for (const [consumer, sessions] of this.#byConsumer) {
      const peer = peers.get(consumer);
      for (const [session, certificatePem] of sessions) {
        const trusted = peer !== undefined && isVouchedFor({ ...peer, certificatePem });
        if (!trusted) this.#end(consumer, session, "the consumer is not trusted any more");
      }
    }
  }

  /** Ends every session at once. */
  destroy(): void {
    for (const session of this.all) destroySession(session, "the gateway stops");
  }

  #end(consumer: string, session: ServerHttp2Session, why: string): void {
    destroySession(session, why);
    this.#options.onEnded(consumer, why);
  }

  #report(consumer: string, count: number): void {
    const { ingressSessions } = this.#options.metrics;
    if (count === 0) ingressSessions.remove({ consumer });
    else ingressSessions.set({ consumer }, count);
  }
}

/** Ends a session so that its streams are reset: without an error and a code they would end as if in order. */
function destroySession(session: ServerHttp2Session, why: string): void {
  session.destroy(new Error(why), constants.NGHTTP2_CANCEL);
}
