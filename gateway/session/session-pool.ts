import type { ClientHttp2Stream } from "node:http2";
import type { Logger } from "../../kube/logger.ts";
import type { GatewayMetrics } from "../metrics.ts";
import {
  type GatewayAddress,
  type PeerSession,
  StreamRefusedError,
  authorityOf,
} from "./peer-session.ts";
import { SessionSlot, type SlotOptions, type SlotState } from "./session-slot.ts";
import type { Traffic } from "./traffic-meter.ts";

/** What a link's liveness is decided from, one for each place of a session. */
export interface SlotView {
  state: SlotState;
  answeredPings: number;
}

export interface SessionPoolOptions extends SlotOptions {
  link: string;
  sessionsPerAddress: number;
  logger: Logger;
  metrics: GatewayMetrics;
  /** Called when `slots` may have changed. */
  onChange: () => void;
}

/** Attempts to open one stream, each on another session: as many as there are addresses, and so many at least. */
const MIN_ATTEMPTS = 3;
const SLOT_STATES: readonly SlotState[] = ["live", "replacing", "connecting", "waiting"];

/** All sessions of one link: some per address of the remote gateway, each kept up by a slot. */
export class SessionPool {
  readonly #options: SessionPoolOptions;
  readonly #slots = new Map<string, SessionSlot[]>();
  /** Of addresses that are not wanted any more, used until one that is wanted is live. */
  #leaving: SessionSlot[] = [];
  /** Of addresses that are not used any more, while streams finish. */
  #retired: SessionSlot[] = [];
  readonly #waiting = new Set<() => void>();
  /** By address, the reasons with which its failures were counted. */
  readonly #reasons = new Map<string, Set<string>>();
  #lastFailure: string | undefined;
  #stopped = false;

  constructor(options: SessionPoolOptions) {
    this.#options = options;
  }

  get slots(): SlotView[] {
    return [...this.#all(), ...this.#leaving].map((slot) => ({
      state: slot.state,
      answeredPings: slot.session?.answeredPings ?? 0,
    }));
  }

  /** Whether every address has been tried once. */
  get tried(): boolean {
    return this.#all().every((slot) => slot.tried);
  }

  /** How a session ended last, undefined before any did. */
  get lastFailure(): string | undefined {
    return this.#lastFailure;
  }

  /**
   * Uses these addresses: new ones are dialled at once, others retire, but not
   * before one of these is live. When addresses change, nothing closes.
   */
  setAddresses(addresses: readonly GatewayAddress[]): void {
    this.#retired = this.#retired.filter((slot) => !slot.empty);
    const wanted = new Map(addresses.map((address) => [authorityOf(address), address]));
    for (const [key, slots] of this.#slots) {
      if (wanted.has(key)) continue;
      for (const slot of slots) slot.leave();
      this.#leaving.push(...slots);
      this.#slots.delete(key);
      this.#forget(key);
    }
    for (const [key, address] of wanted) {
      if (this.#slots.has(key)) continue;
      const count = this.#options.sessionsPerAddress;
      this.#slots.set(
        key,
        Array.from({ length: count }, () => this.#createSlot(key, address)),
      );
    }
    this.#changed();
  }

  /** New sessions with what `tls` and `times` say now; old ones finish their streams. */
  renew(): void {
    for (const slot of this.#all()) slot.renew();
  }

  /** Ends at once every session whose remote certificate is not trusted any more. */
  distrust(isTrusted: (certificatePem: string) => boolean): void {
    for (const slot of this.#everySlot()) slot.distrust(isTrusted);
  }

  /**
   * Opens a CONNECT stream on the less loaded of two sessions picked at
   * random. A stream that the remote never answered (it drains, its session
   * died) is tried again, on another address if there is one. While the only
   * session is being replaced, waits for its successor. Rejects with a
   * StreamRefusedError.
   */
  async open(authority: string, signal: AbortSignal): Promise<ClientHttp2Stream> {
    const failed = new Set<GatewayAddress>();
    for (let attempt = 1; ; attempt += 1) {
      const session = this.#pick(failed) ?? (await this.#successor(failed, signal));
      if (session === undefined) {
        throw new StreamRefusedError("NoSession", "no session to the remote gateway");
      }
      try {
        return await session.open(authority, signal);
      } catch (error) {
        const again = error instanceof StreamRefusedError && error.retryable;
        if (!again || attempt >= this.#maxAttempts || signal.aborted) throw error;
        failed.add(session.address);
      }
    }
  }

  /** Ends everything at once. */
  destroy(): void {
    this.#stopped = true;
    for (const slot of this.#everySlot()) slot.destroy();
    for (const key of this.#slots.keys()) this.#forget(key);
    this.#slots.clear();
    this.#leaving = [];
    this.#changed();
  }

  #createSlot(key: string, address: GatewayAddress): SessionSlot {
    const { link, logger, metrics } = this.#options;
    return new SessionSlot(address, this.#options, {
      onChange: () => this.#changed(),
      onPing: (rttMs) => metrics.pingSeconds.observe({ link, address: key }, rttMs / 1000),
      onTraffic: (traffic) => this.#countTraffic(key, traffic),
      onFailure: (error) => {
        const reason = failureReason(error);
        this.#lastFailure = `${key}: ${error.message}`;
        metrics.sessionFailures.inc({ link, address: key, reason });
        this.#reasons.set(key, (this.#reasons.get(key) ?? new Set()).add(reason));
        logger.info({ address: key, reason, error: error.message }, "session lost");
      },
    });
  }

  /** All addresses but one may be found dead one after the other. */
  get #maxAttempts(): number {
    return Math.max(MIN_ATTEMPTS, this.#slots.size);
  }

  #all(): SessionSlot[] {
    return [...this.#slots.values()].flat();
  }

  #everySlot(): SessionSlot[] {
    return [...this.#all(), ...this.#leaving, ...this.#retired];
  }

  /** One of an address that is not among `failed`, if there is any. */
  #pick(failed: ReadonlySet<GatewayAddress>): PeerSession | undefined {
    const usable: PeerSession[] = [];
    for (const slots of [...this.#slots.values(), this.#leaving]) {
      for (const { session } of slots) {
        if (session?.hasRoom === true) usable.push(session);
      }
    }
    const others =
      failed.size === 0 ? usable : usable.filter(({ address }) => !failed.has(address));
    const sessions = others.length > 0 ? others : usable;
    const one = sessions[Math.floor(this.#options.random() * sessions.length)];
    const other = sessions[Math.floor(this.#options.random() * sessions.length)];
    if (one === undefined || other === undefined) return undefined;
    return one.activeStreams <= other.activeStreams ? one : other;
  }

  /** The next session that comes up while one is being replaced; undefined when none is. */
  async #successor(
    failed: ReadonlySet<GatewayAddress>,
    signal: AbortSignal,
  ): Promise<PeerSession | undefined> {
    while (!signal.aborted && !this.#stopped) {
      const session = this.#pick(failed);
      if (session !== undefined) return session;
      if (!this.#all().some(({ state }) => state === "replacing")) return undefined;
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#waiting.delete(wake);
          signal.removeEventListener("abort", wake);
          resolve();
        };
        this.#waiting.add(wake);
        signal.addEventListener("abort", wake, { once: true });
      });
    }
    return undefined;
  }

  #changed(): void {
    const { link, metrics, onChange } = this.#options;
    if (this.#leaving.length > 0 && this.#all().some(({ state }) => state === "live")) {
      for (const slot of this.#leaving) slot.retire();
      this.#retired.push(...this.#leaving);
      this.#leaving = [];
    }
    for (const [address, slots] of this.#slots) {
      for (const state of SLOT_STATES) {
        const count = slots.filter((slot) => slot.state === state).length;
        metrics.sessions.set({ link, address, state }, count);
      }
    }
    for (const wake of this.#waiting) wake();
    onChange();
  }

  /** Of an address that is still used: one that is not has no series left. */
  #countTraffic(address: string, { sentBytes, receivedBytes }: Traffic): void {
    const { link, metrics } = this.#options;
    const slots = this.#slots.get(address);
    if (slots === undefined) return;
    const streams = slots.reduce((sum, slot) => sum + slot.activeStreams, 0);
    metrics.addressStreams.set({ link, address }, streams);
    metrics.addressBytes.inc({ link, address, direction: "toRemote" }, sentBytes);
    metrics.addressBytes.inc({ link, address, direction: "toLocal" }, receivedBytes);
  }

  #forget(address: string): void {
    const { link, metrics } = this.#options;
    for (const state of SLOT_STATES) metrics.sessions.remove({ link, address, state });
    metrics.pingSeconds.remove({ link, address });
    metrics.addressStreams.remove({ link, address });
    for (const direction of ["toRemote", "toLocal"]) {
      metrics.addressBytes.remove({ link, address, direction });
    }
    for (const reason of this.#reasons.get(address) ?? []) {
      metrics.sessionFailures.remove({ link, address, reason });
    }
    this.#reasons.delete(address);
  }
}

/** A short label for why a session ended: the error code where there is one. */
function failureReason(error: Error): string {
  if (error.name === "PeerIdentityError") return "IdentityMismatch";
  const code: unknown = Reflect.get(error, "code");
  return typeof code === "string" ? code : "SessionLost";
}
