import { performance } from "node:perf_hooks";
import { type Clock, type Random, systemClock } from "../../api/clock.ts";
import { errorMessage } from "../../api/errors.ts";
import { RESOURCES } from "../../api/resources.ts";
import type { Startable } from "../../api/startable.ts";
import { isApiError } from "../client/api-error.ts";
import type { KubeClient } from "../client/client.ts";
import { held, type Lease, mayTake, type ObservedLease, released } from "./lease.ts";
import type { Logger } from "../logger.ts";
import type { KubeMetrics } from "../metrics.ts";
import { withTimeout } from "../client/timeout-signal.ts";

export interface LeaderElectorOptions {
  client: KubeClient;
  namespace: string;
  /** Name of the Lease. */
  name: string;
  /** Unique to this replica. */
  identity: string;
  /** How long others wait for a silent leader; 15 s when absent. */
  leaseDurationMs?: number;
  /** How long a leader goes on without renewing; 10 s when absent, shorter than the lease. */
  renewDeadlineMs?: number;
  /** Between tries; 2 s when absent. */
  retryPeriodMs?: number;
  clock?: Clock;
  /** Monotonic milliseconds; the process' own when absent. */
  monotonicMs?: () => number;
  random?: Random;
  logger: Logger;
  metrics?: KubeMetrics;
  /**
   * The leader's work. Its signal aborts when the lease is lost or the elector
   * stops; in the second case the term goes on until the work has ended, or is
   * over by itself. Resolves with false when something of it may still reach
   * the API server: then the lease is not released, others wait for its end.
   */
  onStartedLeading: (signal: AbortSignal) => Promise<boolean | void>;
  /** Called when that work has ended. */
  onStoppedLeading: () => void;
}

/** Until when we may lead, by both clocks: one stands still while a machine sleeps, the other can be set. */
interface Term {
  readonly endsAtMs: number;
  readonly endsAtMonotonicMs: number;
}

/**
 * Leads while it holds a Lease, and stops leading before another replica can:
 * a term counts from before the renewal was sent and is shorter than the time
 * others wait. Two electors therefore never work at the same time, as long as
 * the work ends when its signal aborts.
 */
export class LeaderElector implements Startable {
  readonly #options: LeaderElectorOptions;
  readonly #clock: Clock;
  readonly #monotonicMs: () => number;
  readonly #random: Random;
  readonly #leaseDurationMs: number;
  readonly #renewDeadlineMs: number;
  readonly #retryPeriodMs: number;
  readonly #stopping = new AbortController();
  #observed: ObservedLease | undefined;
  #term: Term | undefined;
  #mayRelease = true;
  #running: Promise<void> | undefined;

  /** @throws RangeError unless retryPeriod < renewDeadline < leaseDuration */
  constructor(options: LeaderElectorOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
    this.#random = options.random ?? Math.random;
    this.#leaseDurationMs = options.leaseDurationMs ?? 15_000;
    this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
    this.#retryPeriodMs = options.retryPeriodMs ?? 2000;
    if (
      this.#renewDeadlineMs >= this.#leaseDurationMs ||
      this.#retryPeriodMs >= this.#renewDeadlineMs
    ) {
      throw new RangeError("a lease needs retryPeriodMs < renewDeadlineMs < leaseDurationMs");
    }
  }

  /** Whether we hold the Lease at this moment; checked against the clocks, not a timer. */
  isLeader(): boolean {
    return this.remainingMs() > 0;
  }

  /** How long we may lead without another renewal, in ms; not positive when we do not. */
  remainingMs(): number {
    if (this.#term === undefined) return 0;
    return Math.min(
      this.#term.endsAtMs - this.#clock.nowMs(),
      this.#term.endsAtMonotonicMs - this.#monotonicMs(),
    );
  }

  async start(signal: AbortSignal): Promise<void> {
    if (this.#running !== undefined) throw new Error("the elector was started before");
    signal.throwIfAborted();
    signal.addEventListener("abort", () => this.#stopping.abort(signal.reason), {
      once: true,
      signal: this.#stopping.signal,
    });
    this.#running = this.#run(this.#stopping.signal);
    await Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new DOMException("stopped", "AbortError"));
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if ((await this.#tryTake(signal)) === "held") await this.#lead(signal);
      // Also after leading: work that fails at once must not become a tight loop.
      await this.#pause(this.#retryPeriodMs * (1 + this.#random() / 5), signal);
    }
    // A lease that was taken just as we were stopped.
    await this.#release();
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const { logger, metrics, name, identity, onStartedLeading, onStoppedLeading } = this.#options;
    logger.info({ lease: name, identity }, "leading");
    metrics?.leader.set({ lease: name }, 1);
    const work = new AbortController();
    const end = (): void => work.abort(signal.reason);
    signal.addEventListener("abort", end, { once: true });
    const endTerm = (): void => void (signal.aborted || (this.#term = undefined));
    work.signal.addEventListener("abort", endTerm, { once: true });
    if (signal.aborted) end();
    const ended = this.#settle(onStartedLeading, work);
    const guarded = this.#endWithTerm(work);
    while (!work.signal.aborted) {
      await this.#pause(this.#retryPeriodMs, work.signal);
      if (work.signal.aborted) break;
      // A term that has passed is over, even if nobody else has used the gap.
      if (this.isLeader() && (await this.#tryTake(work.signal)) !== "taken") continue;
      work.abort(new Error(`the lease ${name} ran out or was taken by another replica`));
    }
    metrics?.leader.set({ lease: name }, 0);
    [this.#mayRelease] = await Promise.all([ended, guarded]);
    this.#term = undefined;
    signal.removeEventListener("abort", end);
    logger.info(
      { lease: name, identity, reason: errorMessage(work.signal.reason) },
      "no longer leading",
    );
    onStoppedLeading();
    await this.#release();
  }

  /** Runs the leader's work, one that fails gives the Lease up; resolves with whether it may be released. */
  async #settle(
    onStartedLeading: LeaderElectorOptions["onStartedLeading"],
    work: AbortController,
  ): Promise<boolean> {
    try {
      return (await onStartedLeading(work.signal)) ?? true;
    } catch (error) {
      if (work.signal.aborted) return true;
      this.#options.logger.error({ err: error }, "the leader's work failed");
      work.abort(error);
      return true;
    }
  }

  /** Aborts `work` at the end of the term, however long a renewal under way may hang. */
  async #endWithTerm(work: AbortController): Promise<void> {
    while (!work.signal.aborted) {
      const remainingMs = this.remainingMs();
      if (remainingMs <= 0) {
        work.abort(new Error(`the lease was not renewed within ${this.#renewDeadlineMs} ms`));
        return;
      }
      await this.#pause(remainingMs, work.signal);
    }
  }

  /** Takes or renews the Lease: held, taken by another, or not known because the server did not say. */
  async #tryTake(signal: AbortSignal): Promise<"held" | "taken" | "unknown"> {
    const { logger, name } = this.#options;
    const limit = withTimeout(signal, this.#renewDeadlineMs / 2);
    const sentAt: Term = {
      endsAtMs: this.#clock.nowMs() + this.#renewDeadlineMs,
      endsAtMonotonicMs: this.#monotonicMs() + this.#renewDeadlineMs,
    };
    try {
      const observed = await this.#observe(limit.signal);
      if (!this.#isOurs(observed)) return "taken";
      this.#remember(await this.#write(observed.lease, limit.signal));
      if (signal.aborted) return "unknown";
      if (this.#term !== undefined && !this.isLeader()) return "taken";
      this.#term = sentAt;
      return "held";
    } catch (error) {
      // Someone else wrote in between: look again at the next try.
      if (!isApiError(error, 409) && !signal.aborted) {
        logger.warn({ lease: name, error: errorMessage(error) }, "lease not renewed");
      }
      return "unknown";
    } finally {
      limit.dispose();
    }
  }

  /** A leader may only renew what it holds; a contender may take what is free. */
  #isOurs(observed: ObservedLease): boolean {
    const { identity } = this.#options;
    return this.#term === undefined
      ? mayTake(observed, identity, this.#leaseDurationMs, this.#monotonicMs())
      : observed.lease.spec?.holderIdentity === identity;
  }

  async #observe(signal: AbortSignal): Promise<ObservedLease> {
    const { client, namespace, name } = this.#options;
    const key = { namespace, name };
    const lease = await client.find<Lease>(RESOURCES.leases, key, { signal });
    return this.#remember(lease ?? { metadata: key });
  }

  async #write(previous: Lease, signal: AbortSignal): Promise<Lease> {
    const { client, identity } = this.#options;
    const lease = held(previous, identity, this.#leaseDurationMs, this.#clock.nowMs());
    return previous.metadata.resourceVersion === undefined
      ? await client.create(RESOURCES.leases, lease, { signal })
      : await client.replace(RESOURCES.leases, lease, { signal });
  }

  #remember(lease: Lease): ObservedLease {
    const { resourceVersion } = lease.metadata;
    if (
      this.#observed === undefined ||
      this.#observed.lease.metadata.resourceVersion !== resourceVersion
    ) {
      this.#observed = { lease, atMs: this.#monotonicMs() };
    }
    return this.#observed;
  }

  /** Best effort: a lease that stays is taken when it has run out. */
  async #release(): Promise<void> {
    const { client, identity, logger, name } = this.#options;
    if (this.#observed?.lease.spec?.holderIdentity !== identity) return;
    if (!this.#mayRelease) {
      logger.warn({ lease: name }, "writes were cut off: the lease is left to run out");
      return;
    }
    const limit = withTimeout(undefined, this.#retryPeriodMs);
    try {
      // A renewal cut off under way may have been written.
      const { lease } = await this.#observe(limit.signal);
      if (lease.spec?.holderIdentity !== identity) return;
      const after = released(lease, this.#clock.nowMs());
      this.#remember(await client.replace(RESOURCES.leases, after, { signal: limit.signal }));
    } catch (error) {
      logger.warn({ lease: name, error: errorMessage(error) }, "lease not released");
    } finally {
      limit.dispose();
    }
  }

  async #pause(durationMs: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#clock.sleep(durationMs, signal);
    } catch {
      // Aborted: the caller looks at the signal.
    }
  }
}
