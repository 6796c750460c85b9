import {
  type Http2Session,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  constants,
} from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Bound, BoundReports } from "../limits/bound-reports.ts";
import { BURST_SECONDS, type GatewayLimits, WINDOW_MIN_BYTES } from "../limits/limits.ts";
import { endForBound, guardFrames } from "../limits/session-guard.ts";
import { Penalty } from "../limits/penalty.ts";
import { Shares } from "../limits/shares.ts";
import { TokenBucket } from "../limits/token-bucket.ts";
import type { GatewayMetrics } from "../metrics.ts";
import { SessionAccount } from "./session-account.ts";

export interface ConsumerBoundsOptions {
  limits: GatewayLimits;
  /** The connections of both roles: each is one file descriptor. */
  connections: Shares;
  /** How many peers are trusted now. */
  peers: () => number;
  reports: BoundReports;
  nowMs: () => number;
  metrics: GatewayMetrics;
}

/** One consumer, with its sessions. */
interface ConsumerAccount {
  /** Consumers and links have places of one kind, and may have the same name. */
  readonly holder: string;
  readonly sessions: Map<Http2Session, SessionAccount>;
  readonly newStreams: TokenBucket;
  readonly streamErrors: TokenBucket;
  readonly overhead: TokenBucket;
  readonly probes: TokenBucket;
  readonly penalty: Penalty;
  windowBytes: number;
  bufferedBytes: number;
}

/** How often sessions are looked at: at most, and as a part of the shortest time to be kept. */
const SWEEP_MS = 1000;
const SWEEP_PART = 1 / 8;
/** When the process has grown by this much, what is held is counted again at once. */
const GROWTH_BYTES = 32 * 1024 * 1024;
/** A consumer with this many times what it may have buffered loses the session that holds the most. */
const BUFFERED_EXCESS = 2;

/** Beyond the rate of new streams; each replica of a consumer's controller asks once a second or so. */
const PROBES_PER_SECOND = 20;

const ANSWERED = 200;
/** What an honest consumer hears, too, and hears often: the Service has no endpoint just now. */
const UNAVAILABLE = 503;

/** What each consumer has and does, held to its bounds; a consumer at one of them costs the others nothing. */
export class ConsumerBounds {
  readonly #options: ConsumerBoundsOptions;
  readonly #sessions: Shares;
  readonly #consumers = new Map<string, ConsumerAccount>();
  #bufferedBytes = 0;
  #processBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ConsumerBoundsOptions) {
    this.#options = options;
    this.#sessions = new Shares({ max: options.limits.maxSessions, holders: options.peers });
  }

  /** Looks at everything from time to time, until {@link stop}. */
  start(): void {
    const { headerTimeoutMs, idleStreamTimeoutMs } = this.#options.limits;
    const shortestMs = Math.min(headerTimeoutMs, idleStreamTimeoutMs || headerTimeoutMs);
    const sweepMs = Math.min(SWEEP_MS, shortestMs * SWEEP_PART);
    this.#timer = setInterval(() => this.#sweep(), sweepMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /**
   * Takes a session into account until it closes, and gives it its window;
   * false when the consumer, or all together, have as many as they may.
   */
  admitSession(consumer: string, session: ServerHttp2Session, socket: TLSSocket): boolean {
    const { limits, reports, nowMs } = this.#options;
    const account = this.#consumers.get(consumer) ?? this.#createAccount(consumer);
    this.#consumers.set(consumer, account);
    if (account.penalty.active) {
      reports.reached("Penalty", consumer);
      return false;
    }
    const refusal = this.#sessions.take(consumer, limits.maxSessionsPerPeer);
    if (refusal !== undefined) {
      reports.reached(refusal === "inAll" ? "Sessions" : "SessionsPerPeer", consumer);
      return false;
    }
    const sessionAccount = new SessionAccount(session, socket, nowMs());
    account.sessions.set(session, sessionAccount);
    const windowBytes = this.#grantWindow(consumer, account);
    if (windowBytes > WINDOW_MIN_BYTES) session.setLocalWindowSize(windowBytes);
    guardFrames(session, {
      limits,
      nowMs,
      onCrossed: (bound) => {
        account.penalty.offend();
        reports.reached(bound, consumer);
      },
    });
    for (const event of ["ping", "remoteSettings", "localSettings", "stream"]) {
      session.on(event, () => sessionAccount.progress(nowMs()));
    }
    session.once("close", () => {
      this.#sessions.give(consumer);
      account.sessions.delete(session);
      account.windowBytes -= windowBytes;
    });
    return true;
  }

  /** Forgets consumers that are not among these. */
  keepOnly(consumers: { has(consumer: string): boolean }): void {
    for (const consumer of this.#consumers.keys()) {
      if (consumers.has(consumer)) continue;
      this.#consumers.delete(consumer);
      this.#options.metrics.bufferedBytes.remove({ consumer });
    }
  }

  /** The consumer answered a PING. */
  answered(consumer: string, session: ServerHttp2Session): void {
    const now = this.#options.nowMs();
    this.#consumers.get(consumer)?.sessions.get(session)?.progress(now);
  }

  /**
   * Whether a new stream may be served; one that may not is refused, as one
   * that nobody has looked at. What is no CONNECT (a probe, which a link stands
   * or falls with) is bounded only in its rate.
   */
  admitStream(consumer: string, stream: ServerHttp2Stream, isConnect: boolean): boolean {
    const { session } = stream;
    const account = this.#consumers.get(consumer);
    if (session === undefined || account === undefined) return false;
    account.sessions.get(session)?.opened();
    if (!account.newStreams.take() && (isConnect || !account.probes.take())) {
      this.#refuse(stream, "NewStreams", consumer);
      this.#countError(account, session);
      return false;
    }
    const reached = isConnect ? this.#reachedByStream(account) : undefined;
    if (reached !== undefined) {
      this.#refuse(stream, reached, consumer);
      return false;
    }
    stream.once("close", () => {
      if (isConnect) this.#options.connections.give(account.holder);
      const status = Number(stream.sentHeaders?.[":status"] ?? 0);
      const isHonest = status === ANSWERED || status === UNAVAILABLE || stream.rstCode === 8;
      if (!isHonest) this.#countError(account, session);
    });
    return true;
  }

  /** A stream carries a connection from now on. */
  carry(consumer: string, stream: ServerHttp2Stream, socket: Socket): void {
    const { session } = stream;
    if (session === undefined) return;
    const account = this.#consumers.get(consumer)?.sessions.get(session);
    account?.carry(stream, socket, this.#options.nowMs());
  }

  #createAccount(consumer: string): ConsumerAccount {
    const { limits, nowMs } = this.#options;
    const bucket = (perSecond: number) =>
      new TokenBucket({ perSecond, burst: perSecond * BURST_SECONDS, nowMs });
    return {
      holder: `consumer/${consumer}`,
      sessions: new Map(),
      newStreams: bucket(limits.maxNewStreamsPerSecond),
      streamErrors: bucket(limits.maxStreamErrorsPerSecond),
      overhead: bucket(limits.maxOverheadBytesPerSecond),
      penalty: new Penalty({ maxMs: limits.maxPenaltyMs, nowMs }),
      probes: bucket(PROBES_PER_SECOND),
      windowBytes: 0,
      bufferedBytes: 0,
    };
  }

  #grantWindow(consumer: string, account: ConsumerAccount): number {
    const { sessionWindowBytes, maxWindowBytesPerPeer } = this.#options.limits;
    const fits = account.windowBytes + sessionWindowBytes <= maxWindowBytesPerPeer;
    if (!fits) this.#options.reports.reached("WindowBytes", consumer);
    const granted = fits ? sessionWindowBytes : WINDOW_MIN_BYTES;
    account.windowBytes += granted;
    return granted;
  }

  #reachedByStream(account: ConsumerAccount): Bound | undefined {
    const { limits, connections, peers } = this.#options;
    if (account.bufferedBytes >= limits.maxBufferedBytesPerPeer) return "BufferedBytesPerPeer";
    const evenShareBytes = limits.maxBufferedBytes / Math.max(peers(), 1);
    if (this.#bufferedBytes >= limits.maxBufferedBytes && account.bufferedBytes >= evenShareBytes) {
      return "BufferedBytes";
    }
    const refusal = connections.take(account.holder, limits.maxStreamsPerPeer);
    if (refusal === undefined) return undefined;
    return refusal === "inAll" ? "Connections" : "StreamsPerPeer";
  }

  #refuse(stream: ServerHttp2Stream, bound: Bound, consumer: string): void {
    stream.close(constants.NGHTTP2_REFUSED_STREAM);
    this.#options.reports.reached(bound, consumer);
  }

  #countError(account: ConsumerAccount, session: Http2Session, count = 1) {
    if (session.destroyed || account.streamErrors.take(count)) return;
    endForBound(session, "StreamErrors");
  }

  #sweep(): void {
    const { limits, nowMs, metrics } = this.#options;
    const now = nowMs();
    const processBytes = process.memoryUsage.rss();
    const hasGrown = processBytes - this.#processBytes > GROWTH_BYTES;
    if (hasGrown || processBytes < this.#processBytes) this.#processBytes = processBytes;
    this.#bufferedBytes = 0;
    for (const [consumer, account] of this.#consumers) {
      for (const [session, sessionAccount] of account.sessions) {
        this.#lookAt(account, session, sessionAccount);
        if (limits.idleStreamTimeoutMs > 0) this.#endIdle(consumer, sessionAccount, now);
      }
      this.#addUpBuffers(account, now, hasGrown);
      metrics.bufferedBytes.set({ consumer }, account.bufferedBytes);
    }
  }

  #lookAt(account: ConsumerAccount, session: Http2Session, sessionAccount: SessionAccount): void {
    const { limits, nowMs } = this.#options;
    const now = nowMs();
    if (session.destroyed) return;
    const unseen = sessionAccount.takeUnseenStreams();
    const overheadBytes = sessionAccount.takeOverheadBytes(now, limits.maxOverheadBytesPerSecond);
    if (sessionAccount.stalledMs(now, limits.headerTimeoutMs) > limits.headerTimeoutMs) {
      endForBound(session, "HeaderTimeout");
    } else if (overheadBytes > 0 && !account.overhead.take(overheadBytes)) {
      endForBound(session, "Overhead");
    } else if (unseen > 0) {
      this.#countError(account, session, unseen);
    }
  }

  #endIdle(consumer: string, sessionAccount: SessionAccount, now: number): void {
    for (const stream of sessionAccount.idleStreams(
      now,
      this.#options.limits.idleStreamTimeoutMs,
    )) {
      stream.destroy(new Error("no byte moved for too long"));
      this.#options.reports.reached("IdleStreams", consumer);
    }
  }

  /** Ends the session that holds most of far too much: its consumer does not read, or its endpoints do not. */
  #addUpBuffers(account: ConsumerAccount, now: number, hasGrown: boolean): void {
    const { maxBufferedBytesPerPeer } = this.#options.limits;
    const held = [...account.sessions].map(([session, sessionAccount]) => ({
      session,
      bytes: sessionAccount.bufferedBytes(now, hasGrown),
    }));
    account.bufferedBytes = held.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#bufferedBytes += account.bufferedBytes;
    if (account.bufferedBytes < BUFFERED_EXCESS * maxBufferedBytesPerPeer) return;
    const [most] = held.toSorted((one, other) => other.bytes - one.bytes);
    if (most !== undefined) endForBound(most.session, "BufferedBytesPerPeer");
  }
}
