import type { ConnectionOptions } from "node:tls";
import type { Random } from "../../api/clock.ts";
import { reconnectDelayMs } from "./backoff.ts";
import { callAt } from "./call-at.ts";
import {
  type GatewayAddress,
  PeerSession,
  type SessionBounds,
  SessionLostError,
} from "./peer-session.ts";
import type { SessionTimes } from "./session-times.ts";
import type { Traffic } from "./traffic-meter.ts";

/**
 * `live`: streams may be opened. `replacing`: the remote drains, and the first
 * attempt at a successor is under way. `connecting`, `waiting`: nothing to use.
 */
export type SlotState = "live" | "replacing" | "connecting" | "waiting";

/** A session fell short of its purpose; the text is a metric label and a log field. */
export interface SlotEvents {
  onChange(): void;
  onPing(rttMs: number): void;
  /** What went over the wire since it was told last: with each PING, and at the end of a session. */
  onTraffic(traffic: Traffic): void;
  onFailure(error: Error): void;
}

/** A remote may ask for a new session so often before each has answered twice; then it counts as one that fails. */
const REPLACEMENTS_IN_A_ROW = 3;
/** Around `maxAgeMs`, so that sessions that began together are not replaced together. */
const AGE_JITTER = 0.1;
/** With so many old sessions still finishing streams, age is no reason for one more. */
export const MAX_AGED = 4;

/** What the next session is made with; `tls` and `times` are read at each attempt. */
export interface SlotOptions extends SessionBounds {
  tls: () => ConnectionOptions;
  times: () => SessionTimes;
  /** A session is replaced after about this long: behind one address, load spreads anew over replicas that came back. */
  maxAgeMs: number;
  nowMs: () => number;
  random: Random;
}

/**
 * A place for one session to one address, kept filled: connects at once,
 * again after a failure with growing delays, and in place of a session that
 * drains. Sessions that drain live on beside it until their streams ended.
 */
export class SessionSlot {
  readonly address: GatewayAddress;
  readonly #options: SlotOptions;
  readonly #events: SlotEvents;
  readonly #retiring = new Set<PeerSession>();
  #current: PeerSession | undefined;
  #next: PeerSession | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #stopAge: () => void = () => undefined;
  #replacing = false;
  #stopped = false;
  #tried = false;

  constructor(address: GatewayAddress, options: SlotOptions, events: SlotEvents) {
    this.address = address;
    this.#options = options;
    this.#events = events;
    this.#connect();
  }

  get state(): SlotState {
    if (this.#current?.live === true) return "live";
    if (this.#replacing) return "replacing";
    return this.#next === undefined ? "waiting" : "connecting";
  }

  /** The session that streams are opened on, while there is one. */
  get session(): PeerSession | undefined {
    return this.#current?.live === true ? this.#current : undefined;
  }

  /** Streams of all of its sessions, those that drain included. */
  get activeStreams(): number {
    const sessions = [this.#current, ...this.#retiring];
    return sessions.reduce((sum, session) => sum + (session?.activeStreams ?? 0), 0);
  }

  /** Whether a first session has come up or failed. */
  get tried(): boolean {
    return this.#tried;
  }

  /** Whether nothing is left of a slot that was retired. */
  get empty(): boolean {
    return this.#stopped && this.#retiring.size === 0;
  }

  /** Makes a new session with what `tls` says now; the old one then finishes its streams. */
  renew(): void {
    if (this.#stopped) return;
    // An attempt under way uses the old options.
    this.#drop(this.#next, new Error("the TLS configuration changed"));
    clearTimeout(this.#timer);
    this.#connect();
  }

  /** Ends at once every session whose remote certificate `isTrusted` no longer accepts. */
  distrust(isTrusted: (certificatePem: string) => boolean): void {
    for (const session of [this.#current, ...this.#retiring]) {
      const certificate = session?.remoteCertificatePem;
      if (certificate !== undefined && !isTrusted(certificate)) {
        session?.destroy(
          new SessionLostError(
            "CertificateUntrusted",
            "the remote's certificate is not trusted any more",
          ),
        );
      }
    }
  }

  /** No new sessions; the one there may be used until {@link retire}. */
  leave(): void {
    this.#stopped = true;
    this.#replacing = false;
    clearTimeout(this.#timer);
    this.#stopAge();
    this.#drop(this.#next, new Error("retired"));
  }

  /** No new sessions; those there finish their streams. */
  retire(): void {
    this.leave();
    if (this.#current !== undefined) this.#setAside(this.#current);
    this.#current = undefined;
  }

  /** Ends everything at once. */
  destroy(): void {
    const sessions = [this.#current, ...this.#retiring];
    this.retire();
    for (const session of sessions) session?.destroy(new Error("the link was closed"));
  }

  #connect(): void {
    let session: PeerSession;
    const { tls, times } = this.#options;
    try {
      const options = { ...this.#options, tls: tls(), times: times() };
      session = new PeerSession(this.address, options, {
        onPing: (rttMs) => this.#answered(session, rttMs),
        onDraining: () => this.#drained(session),
        onExpiring: () => {
          if (session === this.#current) this.renew();
        },
        onClosed: (error) => this.#closed(session, error),
      });
    } catch (error) {
      // A certificate or an address that node:tls does not take.
      this.#tried = true;
      this.#events.onFailure(error instanceof Error ? error : new Error(String(error)));
      this.#reconnect();
      return;
    }
    this.#next = session;
  }

  #answered(session: PeerSession, rttMs: number): void {
    if (session === this.#next) {
      this.#next = undefined;
      this.#replacing = false;
      this.#tried = true;
      if (this.#current !== undefined) this.#setAside(this.#current);
      this.#current = session;
      this.#watchAge();
    }
    // One that dies right after its first answer counts as a failure still.
    if (session === this.#current && session.answeredPings > 1) this.#failures = 0;
    if (!this.#stopped) this.#events.onPing(rttMs);
    this.#events.onTraffic(session.traffic.take());
    this.#events.onChange();
  }

  #drained(session: PeerSession): void {
    if (session !== this.#current) return;
    this.#retiring.add(session);
    this.#current = undefined;
    if (!this.#stopped) {
      this.#replacing = this.#failures < REPLACEMENTS_IN_A_ROW;
      if (this.#next === undefined) this.#reconnect();
    }
    this.#events.onChange();
  }

  #closed(session: PeerSession, error: Error): void {
    this.#events.onTraffic(session.traffic.take());
    if (this.#retiring.delete(session)) return;
    if (session === this.#current) this.#current = undefined;
    else if (session === this.#next) this.#next = undefined;
    else return;
    this.#tried = true;
    this.#replacing = false;
    if (!this.#stopped) {
      this.#events.onFailure(error);
      if (this.#next === undefined) this.#reconnect();
    }
    this.#events.onChange();
  }

  #watchAge(): void {
    this.#stopAge();
    const { maxAgeMs, nowMs, random } = this.#options;
    const ageMs = maxAgeMs * (1 - AGE_JITTER + 2 * AGE_JITTER * random());
    this.#stopAge = callAt(nowMs() + ageMs, nowMs, () => {
      if (this.#retiring.size < MAX_AGED) this.renew();
      else this.#watchAge();
    });
  }

  #reconnect(): void {
    clearTimeout(this.#timer);
    const delayMs = reconnectDelayMs(this.#failures, this.#options.random);
    this.#failures += 1;
    this.#timer = setTimeout(() => this.#connect(), delayMs);
  }

  #setAside(session: PeerSession): void {
    this.#retiring.add(session);
    session.retire();
  }

  #drop(session: PeerSession | undefined, error: Error): void {
    if (session === this.#next) this.#next = undefined;
    session?.destroy(error);
  }
}
