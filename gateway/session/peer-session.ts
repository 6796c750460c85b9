import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from "node:tls";
import { errorMessage } from "../../api/errors.ts";
import { refusalReason } from "../stream/refusal-reasons.ts";
import type { Bound } from "../limits/bound-reports.ts";
import type { GatewayLimits } from "../limits/limits.ts";
import { guardFrames, sessionOptions, sessionSettings } from "../limits/session-guard.ts";
import { callAt } from "./call-at.ts";
import { reapWhenDestroyed } from "./reap.ts";
import { watchPings } from "./ping-watch.ts";
import { SESSION_KEEP_ALIVE_MS } from "./session-limits.ts";
import { ignore } from "../stream/ignore.ts";
import type { SessionTimes } from "./session-times.ts";
import { TrafficMeter } from "./traffic-meter.ts";

/** Where a remote gateway listens. `host` is an IP address or a DNS name. */
export interface GatewayAddress {
  host: string;
  port: number;
}

/** What a remote may do, and who hears that it did more. */
export interface SessionBounds {
  limits: GatewayLimits;
  onBound: (bound: Bound) => void;
}

/** What a session tells its owner. */
export interface SessionEvents {
  /** A PING was answered; the first one makes the session usable. */
  onPing(rttMs: number): void;
  /** The remote asked for no more streams (GOAWAY); those open may finish. */
  onDraining(): void;
  /** The remote's certificate is about to expire: then the session drains. */
  onExpiring(): void;
  /** Nothing is left of it; called once, also when it never came up. */
  onClosed(error: Error): void;
}

/** The remote did not open the stream. `retryable`: it was never looked at, another session may. */
export class StreamRefusedError extends Error {
  override readonly name = "StreamRefusedError";
  readonly reason: string;
  readonly retryable: boolean;

  constructor(reason: string, message: string, retryable = false) {
    super(message);
    this.reason = reason;
    this.retryable = retryable;
  }
}

/** Why a session was ended by this side; `code` is a metric label, as node's own errors have one. */
export class SessionLostError extends Error {
  override readonly name = "SessionLostError";
  readonly code: "ConnectTimeout" | "PingTimeout" | "CertificateUntrusted";

  constructor(code: SessionLostError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/** A session is replaced this long before the remote's certificate expires, or a third of what is left. */
const EXPIRY_LEAD_MS = 60_000;
/** With less left than this it is not worth replacing. */
const EXPIRY_LEAD_MIN_MS = 1000;

/**
 * One HTTP/2 session over mutual TLS to a remote gateway: dials at once, and
 * is live from its first answered PING until it drains or dies. It drains at
 * the latest when the certificate expires that the remote showed for it.
 */
export class PeerSession {
  readonly address: GatewayAddress;
  /** What HTTP/2 sent and received, inside of TLS. */
  readonly traffic: TrafficMeter;
  readonly #socket: TLSSocket;
  readonly #session: ClientHttp2Session;
  readonly #times: SessionTimes;
  readonly #streamClosed = () => void (this.#activeStreams -= 1);
  #answeredPings = 0;
  #activeStreams = 0;
  #draining = false;
  #error: Error | undefined;
  #remoteCertificatePem: string | undefined;

  constructor(
    address: GatewayAddress,
    options: SessionBounds & {
      tls: ConnectionOptions;
      times: SessionTimes;
      nowMs: () => number;
    },
    events: SessionEvents,
  ) {
    const { tls, times, nowMs, limits, onBound } = options;
    this.address = address;
    this.#times = times;
    this.#socket = tlsConnect({ ...tls, host: address.host, port: address.port });
    this.traffic = new TrafficMeter(this.#socket);
    this.#socket.setNoDelay(true);
    this.#socket.setKeepAlive(true, SESSION_KEEP_ALIVE_MS);
    this.#session = connect(`https://${authorityOf(address)}`, {
      createConnection: () => this.#socket,
      settings: { ...sessionSettings(limits), enablePush: false },
      ...sessionOptions(limits),
    });
    guardFrames(this.#session, { limits, nowMs, onCrossed: onBound });
    this.#session.once("connect", () => {
      this.#session.setLocalWindowSize(limits.sessionWindowBytes);
    });
    this.#follow(events, nowMs);
  }

  get live(): boolean {
    // Streams end before the session is closed: what is tried again then must not come back to it.
    const ended = this.#session.closed || this.#session.destroyed;
    return this.#answeredPings > 0 && !this.#draining && !ended;
  }

  /** Answered PINGs; none is ever unanswered in a session that lives. */
  get answeredPings(): number {
    return this.#answeredPings;
  }

  get activeStreams(): number {
    return this.#activeStreams;
  }

  /** Whether the remote's limit allows one more stream. */
  get hasRoom(): boolean {
    const { maxConcurrentStreams } = this.#session.remoteSettings;
    return this.#activeStreams < (maxConcurrentStreams ?? Number.POSITIVE_INFINITY);
  }

  /** The remote's certificate as PEM, once connected. */
  get remoteCertificatePem(): string | undefined {
    return this.#remoteCertificatePem;
  }

  /**
   * Opens a CONNECT stream and resolves when the remote accepted it. Rejects
   * with a StreamRefusedError; an aborted `signal` cancels the stream.
   */
  open(authority: string, signal: AbortSignal): Promise<ClientHttp2Stream> {
    return new Promise((resolve, reject) => {
      let stream: ClientHttp2Stream;
      try {
        stream = this.#session.request(
          { ":method": "CONNECT", ":authority": authority },
          { endStream: false },
        );
      } catch (error) {
        reject(new StreamRefusedError("SessionClosed", errorMessage(error), true));
        return;
      }
      this.#activeStreams += 1;
      cancelUntilAnswered(stream, this.#times.openTimeoutMs, signal);
      const closed = () => reject(this.#closedBeforeAnswer(stream.rstCode));
      stream.once("response", (headers) => {
        stream.off("close", closed);
        const status = headers[":status"] ?? 0;
        if (status === 200) {
          resolve(stream);
          return;
        }
        const reason = refusalReason(headers["isthmus-reason"]);
        reject(new StreamRefusedError(reason, `the remote answered ${status} (${reason})`));
        stream.close(constants.NGHTTP2_CANCEL);
      });
      // `close` follows and decides.
      stream.on("error", ignore);
      stream.on("close", closed);
      stream.on("close", this.#streamClosed);
    });
  }

  /** No more streams; closes when those open have finished. */
  retire(): void {
    this.#draining = true;
    this.#session.close();
  }

  /** Ends the session and all of its streams at once. */
  destroy(error: Error): void {
    this.#error ??= error;
    // Without an error and a code its streams would end as if in order.
    this.#session.destroy(error, constants.NGHTTP2_CANCEL);
    this.#socket.destroy();
  }

  #follow(events: SessionEvents, nowMs: () => number): void {
    const session = this.#session;
    const { connectTimeoutMs, pingIntervalMs, pingTimeoutMs } = this.#times;
    const connectTimer = setTimeout(() => {
      this.#lose("ConnectTimeout", `no answer within ${connectTimeoutMs} ms`);
    }, connectTimeoutMs);
    let unwatch: (() => void)[] = [];
    session.once("connect", () => {
      const certificate = this.#socket.getPeerX509Certificate();
      this.#remoteCertificatePem = certificate?.toString();
      const stopPings = watchPings(session, this.#socket, {
        intervalMs: pingIntervalMs,
        timeoutMs: pingTimeoutMs,
        onAnswer: (rttMs) => {
          clearTimeout(connectTimer);
          this.#answeredPings += 1;
          events.onPing(rttMs);
        },
        onDead: () => this.#lose("PingTimeout", `no answer to a PING in ${pingTimeoutMs} ms`),
      });
      unwatch = [stopPings, ...this.#watchExpiry(certificate?.validToDate, events, nowMs)];
    });
    reapWhenDestroyed(session, this.#socket);
    session.on("error", (error) => (this.#error ??= error));
    // node:http2 does not end a session for every one of these: not for an alert that refuses our certificate.
    this.#socket.on("error", (error) => this.destroy(error));
    session.on("goaway", () => {
      if (this.#draining) return;
      this.#draining = true;
      events.onDraining();
    });
    session.once("close", () => {
      clearTimeout(connectTimer);
      for (const stop of unwatch) stop();
      events.onClosed(this.#error ?? new Error("the remote closed the session"));
    });
  }

  #watchExpiry(notAfter: Date | undefined, events: SessionEvents, nowMs: () => number) {
    if (notAfter === undefined) return [];
    const atMs = notAfter.getTime();
    const leadMs = Math.min(EXPIRY_LEAD_MS, (atMs - nowMs()) / 3);
    // What was begun while it was valid is finished: TLS asks for it once.
    const expired = () => {
      if (this.#draining) return;
      this.retire();
      events.onDraining();
    };
    const watches = [callAt(atMs, nowMs, expired)];
    if (leadMs > EXPIRY_LEAD_MIN_MS) {
      watches.push(callAt(atMs - leadMs, nowMs, () => events.onExpiring()));
    }
    return watches;
  }

  #lose(code: SessionLostError["code"], message: string): void {
    this.destroy(new SessionLostError(code, message));
  }

  #closedBeforeAnswer(code: number | undefined): StreamRefusedError {
    const refused = code === constants.NGHTTP2_REFUSED_STREAM;
    const sessionEnded = this.#session.destroyed;
    const reason = sessionEnded ? "SessionClosed" : "StreamReset";
    return new StreamRefusedError(
      refused ? "StreamRefused" : reason,
      `the stream was closed before an answer (code ${code ?? 0})`,
      refused || sessionEnded,
    );
  }
}

/**
 * Cancels a stream that is not answered in time, or whose client is gone. What
 * waits for the answer is let go with it: streams may live for days.
 */
function cancelUntilAnswered(
  stream: ClientHttp2Stream,
  timeoutMs: number,
  signal: AbortSignal,
): void {
  const cancel = () => stream.close(constants.NGHTTP2_CANCEL);
  const timer = setTimeout(cancel, timeoutMs);
  const settle = () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", cancel);
    stream.off("response", settle);
    stream.off("close", settle);
  };
  stream.on("response", settle);
  stream.on("close", settle);
  signal.addEventListener("abort", cancel);
  if (signal.aborted) cancel();
}

/** `host:port`, with brackets around an IPv6 address. */
export function authorityOf({ host, port }: GatewayAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
