import { randomUUID } from "node:crypto";
import { type Clock, type Random, systemClock } from "../../api/clock.ts";
import { TerminalError } from "../../api/errors.ts";
import type { Startable } from "../../api/startable.ts";
import type { Logger } from "../logger.ts";
import type { KubeMetrics } from "../metrics.ts";
import { type Request, WorkQueue } from "./work-queue.ts";

/** What a reconcile wants next; nothing: to be called when something changes. */
export type Result = { requeueAfterMs?: number };

export interface ReconcileContext {
  /** Says which link, key and reconcileID every line is about. */
  readonly logger: Logger;
  /** Aborts when the controller stops. */
  readonly signal: AbortSignal;
  readonly reconcileID: string;
}

const DEFAULT_CONCURRENCY = 4;

export type Reconcile = (request: Request, context: ReconcileContext) => Promise<Result | void>;

export interface ControllerOptions {
  name: string;
  reconcile: Reconcile;
  /** Reconciles at the same time, 4 when absent; one group alone has half of them at most. */
  concurrency?: number;
  clock?: Clock;
  random?: Random;
  logger: Logger;
  metrics?: KubeMetrics;
}

export interface Controller extends Startable {
  /** Asks for a reconcile, after `delayMs` when given. Before the start it is remembered. */
  enqueue(request: Request, delayMs?: number): void;
}

/**
 * Calls `reconcile` for every request, never twice at once for the same one.
 * What it throws is retried with growing delays, except a TerminalError, which
 * is logged once and waits for the next change.
 */
export function createController(options: ControllerOptions): Controller {
  return new QueueController(options);
}

type Outcome =
  | { type: "success" }
  | { type: "requeue"; afterMs: number }
  | { type: "terminal"; error: TerminalError }
  | { type: "error"; error: unknown }
  | { type: "stopped" };

class QueueController implements Controller {
  readonly #options: ControllerOptions;
  readonly #clock: Clock;
  readonly #queue: WorkQueue;
  readonly #stopping = new AbortController();
  #workers: Promise<void>[] = [];

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#queue = new WorkQueue({
      clock: this.#clock,
      random: options.random ?? Math.random,
      workers: options.concurrency ?? DEFAULT_CONCURRENCY,
      onDepth: (depth) => options.metrics?.queueDepth.set({ controller: options.name }, depth),
    });
  }

  enqueue(request: Request, delayMs = 0): void {
    this.#queue.addAfter(request, delayMs);
  }

  async start(signal: AbortSignal): Promise<void> {
    if (this.#workers.length > 0) throw new Error(`${this.#options.name} was started before`);
    signal.throwIfAborted();
    signal.addEventListener("abort", () => this.#end(), {
      once: true,
      signal: this.#stopping.signal,
    });
    const { concurrency = DEFAULT_CONCURRENCY } = this.#options;
    this.#workers = Array.from({ length: concurrency }, async () => await this.#work());
    await Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#end();
    await Promise.all(this.#workers);
  }

  #end(): void {
    this.#stopping.abort(new DOMException("stopped", "AbortError"));
    this.#queue.close();
  }

  async #work(): Promise<void> {
    for (;;) {
      const request = await this.#queue.take();
      if (request === undefined) return;
      await this.#handle(request);
      this.#queue.done(request);
    }
  }

  async #handle(request: Request): Promise<void> {
    const { name, metrics, logger: parent } = this.#options;
    const reconcileID = randomUUID();
    const logger = parent.child({
      controller: name,
      ...(request.group !== "" && { link: request.group }),
      key: request.key,
      reconcileID,
    });
    const startedMs = this.#clock.nowMs();
    const outcome = await this.#outcomeOf(request, {
      logger,
      signal: this.#stopping.signal,
      reconcileID,
    });
    const seconds = Math.max(0, this.#clock.nowMs() - startedMs) / 1000;
    metrics?.reconcileSeconds.observe({ controller: name, outcome: outcome.type }, seconds);
    switch (outcome.type) {
      case "success":
        this.#queue.forget(request);
        return;
      case "requeue":
        this.#queue.forget(request);
        this.#queue.addAfter(request, outcome.afterMs);
        return;
      case "terminal": {
        const { error } = outcome;
        this.#queue.forget(request);
        logger.error({ err: error, reason: error.reason }, "reconcile failed, not retried");
        return;
      }
      case "error": {
        const retryAfterMs = this.#queue.retry(request);
        logger.warn({ err: outcome.error, retryAfterMs }, "reconcile failed, retrying");
        return;
      }
      case "stopped":
        return;
    }
  }

  async #outcomeOf(request: Request, context: ReconcileContext): Promise<Outcome> {
    try {
      const result = await this.#options.reconcile(request, context);
      const afterMs = result?.requeueAfterMs;
      return afterMs === undefined ? { type: "success" } : { type: "requeue", afterMs };
    } catch (error) {
      if (context.signal.aborted) return { type: "stopped" };
      return error instanceof TerminalError
        ? { type: "terminal", error }
        : { type: "error", error };
    }
  }
}
