import { randomUUID } from "node:crypto";
import { type Clock, systemClock } from "../api/clock.ts";
import { errorMessage } from "../api/errors.ts";
import type { KubeObject } from "../api/objects.ts";
import { RESOURCES } from "../api/resources.ts";
import { ApiError, isApiError } from "./client/api-error.ts";
import { withTimeout } from "./client/timeout-signal.ts";
import type { KubeClient } from "./client/client.ts";
import type { Logger } from "./logger.ts";
import type { KubeMetrics } from "./metrics.ts";
import { microTime } from "./micro-time.ts";

/** The object an Event is about. */
export interface ObjectReference {
  apiVersion: string;
  kind: string;
  namespace?: string;
  name: string;
  uid?: string;
  resourceVersion?: string;
}

export interface EventContent {
  type: "Normal" | "Warning";
  /** CamelCase, of `api/reasons.ts`. */
  reason: string;
  /** What was being done, CamelCase. */
  action: string;
  /** For people; cut to 1024 bytes. */
  note: string;
  related?: ObjectReference;
}

export interface EventRecorderOptions {
  client: KubeClient;
  reportingController: string;
  reportingInstance: string;
  /** How long the API server is waited for with one Event, in ms; 5 s when absent. */
  sendTimeoutMs?: number;
  clock?: Clock;
  logger: Logger;
  metrics?: KubeMetrics;
}

/** An events.k8s.io/v1 Event (KEP-383). */
export interface KubeEvent extends KubeObject {
  eventTime?: string;
  type?: string;
  reason?: string;
  action?: string;
  note?: string;
  reportingController?: string;
  reportingInstance?: string;
  regarding?: Partial<ObjectReference>;
  related?: Partial<ObjectReference>;
  series?: { count: number; lastObservedTime: string };
}

/** Occurrences of one and the same event, and what the server knows of them. */
interface Series {
  readonly regarding: ObjectReference;
  readonly content: EventContent;
  readonly namespace: string;
  /** Set once the Event exists. */
  name: string | undefined;
  count: number;
  sentCount: number;
  lastObservedMs: number;
  dueMs: number;
  attempts: number;
}

const MAX_NOTE_BYTES = 1024;
/** reportingInstance may not be longer (validation of events.k8s.io/v1). */
const MAX_INSTANCE_CHARS = 128;
const MAX_SERIES = 1000;
/** A repeated event updates its Event at most this often. */
const SERIES_INTERVAL_MS = 60_000;
/** An event that has not been repeated for so long starts a new Event. */
const SERIES_END_MS = 30 * 60_000;
/** Tokens of the bucket all sending draws from: a burst, then so many a second. */
const BURST = 100;
const PER_SECOND = 10;
const MAX_ATTEMPTS = 4;
const RETRY_DELAY_MS = 1000;
/** One Event that the API server does not take must not hold up the others for longer. */
const SEND_TIMEOUT_MS = 5_000;
const FLUSH_MS = 10_000;

/**
 * Writes Kubernetes Events in the background. A repeated event becomes a
 * series on the Event it repeats. Memory and rate are bounded: beyond them
 * events are dropped and counted, never waited for.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #clock: Clock;
  /** In the order of last use. */
  readonly #series = new Map<string, Series>();
  #tokens = BURST;
  #tokensAtMs: number;
  #sending: Promise<void> | undefined;
  #wake = new AbortController();
  #flushing = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#tokensAtMs = this.#clock.nowMs();
  }

  /** Records an event. Never throws and never waits; what fails later is logged and counted. */
  record(regarding: ObjectReference, event: EventContent): void {
    const nowMs = this.#clock.nowMs();
    const content = { ...event, note: cut(event.note) };
    const id = JSON.stringify([{ ...regarding, resourceVersion: undefined }, content]);
    const known = this.#series.get(id);
    this.#series.delete(id);
    if (known !== undefined && nowMs - known.lastObservedMs < SERIES_END_MS) {
      known.count += 1;
      known.lastObservedMs = nowMs;
      this.#series.set(id, known);
    } else {
      if (!this.#makeRoom()) {
        this.#options.metrics?.eventsSent.inc({ outcome: "dropped" });
        return;
      }
      this.#series.set(id, newSeries(regarding, content, nowMs));
    }
    this.#wake.abort();
    this.#sending ??= this.#send();
  }

  /**
   * Resolves once everything recorded so far has been sent or given up, and
   * no later than after `withinMs`: an API server may take its time.
   */
  async flush(withinMs = FLUSH_MS): Promise<void> {
    const limit = withTimeout(undefined, withinMs);
    const late = Promise.withResolvers<void>();
    limit.signal.addEventListener("abort", () => late.resolve(), { once: true });
    this.#flushing += 1;
    this.#wake.abort();
    try {
      await Promise.race([this.#sent(), late.promise]);
    } finally {
      this.#flushing -= 1;
      limit.dispose();
    }
  }

  async #sent(): Promise<void> {
    while (this.#sending !== undefined) await this.#sending;
  }

  async #send(): Promise<void> {
    try {
      for (let next = this.#next(); next !== undefined; next = this.#next()) {
        const [id, series] = next;
        this.#wake = new AbortController();
        const nowMs = this.#clock.nowMs();
        const waitMs = Math.max(
          this.#flushing > 0 && series.attempts === 0 ? 0 : series.dueMs - nowMs,
          this.#tokenWaitMs(nowMs),
        );
        if (waitMs > 0) await this.#pause(waitMs);
        else await this.#sendOne(id, series);
      }
    } finally {
      this.#sending = undefined;
    }
  }

  /** The unsent series that is due first. */
  #next(): [string, Series] | undefined {
    let first: [string, Series] | undefined;
    for (const entry of this.#series) {
      const [, series] = entry;
      if (
        series.count > series.sentCount &&
        (first === undefined || series.dueMs < first[1].dueMs)
      ) {
        first = entry;
      }
    }
    return first;
  }

  async #sendOne(id: string, series: Series): Promise<void> {
    const { metrics, logger, sendTimeoutMs = SEND_TIMEOUT_MS } = this.#options;
    const { count } = series;
    this.#tokens -= 1;
    const limit = withTimeout(undefined, sendTimeoutMs);
    try {
      const outcome = series.name === undefined ? "created" : "series";
      if (series.name === undefined) await this.#create(series, limit.signal);
      else await this.#update(series, series.name, limit.signal);
      series.sentCount = Math.max(series.sentCount, outcome === "created" ? 1 : count);
      series.attempts = 0;
      series.dueMs = this.#clock.nowMs() + SERIES_INTERVAL_MS;
      metrics?.eventsSent.inc({ outcome });
    } catch (error) {
      if (series.name !== undefined && isApiError(error, 404)) {
        // The Event has expired on the server: begin a new one.
        series.name = undefined;
        return;
      }
      series.attempts += 1;
      series.dueMs = this.#clock.nowMs() + RETRY_DELAY_MS * 2 ** series.attempts;
      if (isTransient(error) && series.attempts < MAX_ATTEMPTS) return;
      this.#series.delete(id);
      metrics?.eventsSent.inc({ outcome: "failed" });
      logger.warn(
        { reason: series.content.reason, error: errorMessage(error) },
        "event not recorded",
      );
    } finally {
      limit.dispose();
    }
  }

  async #create(series: Series, signal: AbortSignal): Promise<void> {
    const { client, reportingController, reportingInstance } = this.#options;
    const { regarding, content, namespace } = series;
    const name = `${regarding.name.slice(0, 200)}.${randomUUID().slice(0, 18)}`;
    const event: KubeEvent = {
      ...content,
      metadata: { name, namespace },
      eventTime: microTime(series.lastObservedMs),
      reportingController,
      reportingInstance: reportingInstance.slice(0, MAX_INSTANCE_CHARS),
      regarding,
    };
    await client.create(RESOURCES.events, event, { signal });
    series.name = name;
  }

  async #update(series: Series, name: string, signal: AbortSignal): Promise<void> {
    const { namespace, count, lastObservedMs } = series;
    const body = { series: { count, lastObservedTime: microTime(lastObservedMs) } };
    await this.#options.client.patch(RESOURCES.events, { namespace, name }, body, {
      type: "merge",
      signal,
    });
  }

  /** Forgets the series used longest ago that has nothing left to send. */
  #makeRoom(): boolean {
    if (this.#series.size < MAX_SERIES) return true;
    for (const [id, series] of this.#series) {
      if (series.count === series.sentCount) {
        this.#series.delete(id);
        return true;
      }
    }
    return false;
  }

  #tokenWaitMs(nowMs: number): number {
    const earned = (Math.max(0, nowMs - this.#tokensAtMs) / 1000) * PER_SECOND;
    this.#tokens = Math.min(BURST, this.#tokens + earned);
    this.#tokensAtMs = nowMs;
    return this.#tokens >= 1 ? 0 : Math.ceil(((1 - this.#tokens) / PER_SECOND) * 1000);
  }

  async #pause(waitMs: number): Promise<void> {
    try {
      await this.#clock.sleep(waitMs, this.#wake.signal);
    } catch {
      // Woken: something new to send, or a flush.
    }
  }
}

function newSeries(regarding: ObjectReference, content: EventContent, nowMs: number): Series {
  return {
    regarding,
    content,
    // Events about cluster-scoped objects live in the namespace default.
    namespace: regarding.namespace ?? "default",
    name: undefined,
    count: 1,
    sentCount: 0,
    lastObservedMs: nowMs,
    dueMs: nowMs,
    attempts: 0,
  };
}

function isTransient(error: unknown): boolean {
  return !(error instanceof ApiError) || error.statusCode === 429 || error.statusCode >= 500;
}

/** Cuts at a character, not inside one. */
function cut(note: string): string {
  if (Buffer.byteLength(note) <= MAX_NOTE_BYTES) return note;
  const { read } = new TextEncoder().encodeInto(note, new Uint8Array(MAX_NOTE_BYTES - 3));
  return `${note.slice(0, read)}…`;
}
