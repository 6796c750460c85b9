import type { Clock, Random } from "../../api/clock.ts";
import { type KubeObject, keyOf } from "../../api/objects.ts";
import type { Resource } from "../../api/resources.ts";
import { ApiError, KubeConnectionError } from "../client/api-error.ts";
import type { KubeClient } from "../client/client.ts";
import type { Versioned } from "./store.ts";
import { isKubeObject, type WatchEvent } from "../client/watch-stream.ts";

/**
 * Where a reflector stands, after kube-rs' `watcher::State`
 * (kube-runtime/src/watcher.rs): empty → listing (page by page) → listed →
 * watching, and back to listed when a watch ends or to empty when its version
 * has expired.
 */
export type Phase<T> =
  | { name: "empty" }
  | { name: "listing"; collected: Map<string, Versioned<T>>; continueToken: string }
  | { name: "listed"; resourceVersion: string }
  | { name: "watching"; resourceVersion: string; watch: OpenWatch };

/** What a step found out. */
export type Change<T> =
  | { type: "none" }
  | { type: "replace"; entries: ReadonlyMap<string, Versioned<T>> }
  | { type: "apply"; key: string; entry: Versioned<T> }
  | { type: "delete"; key: string };

export interface Step<T> {
  phase: Phase<T>;
  change: Change<T>;
  /** A watch that ended as soon as it was opened is not: it must not be reopened in a tight loop. */
  progress: boolean;
}

/** A watch under way. */
export interface OpenWatch {
  readonly events: AsyncIterator<WatchEvent>;
  readonly openedAtMs: number;
  delivered: boolean;
  /** Whether the server has accepted it. */
  answered(): boolean;
  /** Ended by us because it had been silent for too long. */
  idle(): boolean;
  close(): void;
}

export interface ListWatchOptions<T> {
  client: KubeClient;
  resource: Resource;
  selection: { namespace?: string; labelSelector?: string; fieldSelector?: string };
  pageSize: number;
  idleDeadlineMs: number;
  clock: Clock;
  random: Random;
  /** What is stored of an object; undefined to store nothing. */
  keep: (raw: KubeObject) => T | undefined;
  onBytes: () => void;
}

/** A watch shorter than this that brought nothing counts as a failure. */
const MIN_WATCH_MS = 1000;
/** The server ends a watch after 290 to 580 s, so that watches spread over its replicas. */
const WATCH_SECONDS = 290;

/** The steps of listing and watching one resource; failures are thrown to the caller, who decides when to go on. */
export class ListWatch<T> {
  readonly #options: ListWatchOptions<T>;

  constructor(options: ListWatchOptions<T>) {
    this.#options = options;
  }

  /** Takes one step from `phase`: one page, one opened watch, or one event. */
  async step(phase: Phase<T>, signal: AbortSignal): Promise<Step<T>> {
    if (phase.name === "watching") return await this.#nextEvent(phase);
    if (phase.name === "listed") {
      return {
        phase: { ...phase, name: "watching", watch: this.#open(phase.resourceVersion, signal) },
        change: { type: "none" },
        progress: false,
      };
    }
    return phase.name === "empty"
      ? await this.#listPage(new Map(), undefined, signal)
      : await this.#listPage(phase.collected, phase.continueToken, signal);
  }

  /** From where to go on after `phase` failed with `error`. */
  recover(phase: Phase<T>, error: unknown): Phase<T> {
    if (phase.name === "watching") phase.watch.close();
    if (needsRelist(error)) return { name: "empty" };
    return phase.name === "watching"
      ? { name: "listed", resourceVersion: phase.resourceVersion }
      : phase;
  }

  /** Whether `phase` is a watch that has brought something, or at least has lasted. */
  hasWorked(phase: Phase<T>): boolean {
    if (phase.name !== "watching") return false;
    const { watch } = phase;
    const livedMs = this.#options.clock.nowMs() - watch.openedAtMs;
    return watch.delivered || (watch.answered() && livedMs >= MIN_WATCH_MS);
  }

  async #listPage(
    collected: Map<string, Versioned<T>>,
    continueToken: string | undefined,
    signal: AbortSignal,
  ): Promise<Step<T>> {
    const { client, resource, selection, pageSize, keep, onBytes } = this.#options;
    const page = await client.list(resource, {
      ...selection,
      limit: pageSize,
      signal,
      ...(continueToken !== undefined && { continueToken }),
    });
    onBytes();
    for (const raw of page.items) {
      if (!isKubeObject(raw)) throw notAnObject(client.server, resource);
      const object = keep(raw);
      if (object !== undefined) collected.set(keyOf(raw), versioned(raw, object));
    }
    return page.continueToken === undefined
      ? {
          phase: { name: "listed", resourceVersion: page.resourceVersion },
          change: { type: "replace", entries: collected },
          progress: false,
        }
      : {
          phase: { name: "listing", collected, continueToken: page.continueToken },
          change: { type: "none" },
          progress: false,
        };
  }

  #open(resourceVersion: string, signal: AbortSignal): OpenWatch {
    const { client, resource, selection, clock, random, onBytes } = this.#options;
    const controller = new AbortController();
    const follow = (): void => controller.abort(signal.reason);
    signal.addEventListener("abort", follow, { once: true });
    const openedAtMs = clock.nowMs();
    const heard = { atMs: openedAtMs, head: false };
    let idle = false;
    const stream = client.watch(resource, {
      ...selection,
      resourceVersion,
      timeoutSeconds: Math.round(WATCH_SECONDS * (1 + random())),
      signal: controller.signal,
      onBytes: () => {
        heard.atMs = clock.nowMs();
        heard.head = true;
        onBytes();
      },
    });
    void this.#guard(heard, controller.signal, () => {
      idle = heard.head;
      controller.abort(
        new KubeConnectionError({
          code: "WATCH_TIMEOUT",
          server: client.server,
          detail: `the watch of ${resource.plural} was silent`,
        }),
      );
    });
    return {
      events: stream[Symbol.asyncIterator](),
      openedAtMs,
      delivered: false,
      answered: () => heard.head,
      idle: () => idle,
      close: () => {
        signal.removeEventListener("abort", follow);
        controller.abort(new DOMException("the watch was closed", "AbortError"));
      },
    };
  }

  /** Calls `onIdle` once nothing has been heard for the deadline. */
  async #guard(
    heard: { readonly atMs: number },
    signal: AbortSignal,
    onIdle: () => void,
  ): Promise<void> {
    const { clock, idleDeadlineMs } = this.#options;
    try {
      for (;;) {
        const leftMs = heard.atMs + idleDeadlineMs - clock.nowMs();
        if (leftMs <= 0) break;
        await clock.sleep(leftMs, signal);
      }
    } catch {
      return;
    }
    if (!signal.aborted) onIdle();
  }

  async #nextEvent(phase: Extract<Phase<T>, { name: "watching" }>): Promise<Step<T>> {
    const { watch, resourceVersion } = phase;
    let result: IteratorResult<WatchEvent>;
    try {
      result = await watch.events.next();
    } catch (error) {
      if (!watch.idle()) throw error;
      result = { done: true, value: undefined };
    }
    if (result.done === true) {
      watch.close();
      return {
        phase: { name: "listed", resourceVersion },
        change: { type: "none" },
        progress: this.hasWorked(phase),
      };
    }
    return this.#take(result.value, phase);
  }

  #take(event: WatchEvent, phase: Extract<Phase<T>, { name: "watching" }>): Step<T> {
    if (event.type === "ERROR") {
      throw new ApiError({
        statusCode: event.object.code ?? 500,
        operation: `watch of ${this.#options.resource.plural} at ${this.#options.client.server}`,
        body: event.object,
      });
    }
    const { object: raw } = event;
    phase.watch.delivered = true;
    const resourceVersion = raw.metadata.resourceVersion ?? phase.resourceVersion;
    return {
      phase: { ...phase, resourceVersion },
      change: event.type === "BOOKMARK" ? { type: "none" } : this.#changeOf(event.type, raw),
      progress: true,
    };
  }

  #changeOf(type: "ADDED" | "MODIFIED" | "DELETED", raw: KubeObject): Change<T> {
    const key = keyOf(raw);
    const object = type === "DELETED" ? undefined : this.#options.keep(raw);
    return object === undefined
      ? { type: "delete", key }
      : { type: "apply", key, entry: versioned(raw, object) };
  }
}

/** Expired versions, and versions the server has never reached (a restored etcd), cannot be watched from. */
function needsRelist(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  if (error.statusCode === 410 || error.reason === "Expired") return true;
  const causes = error.body?.details?.causes ?? [];
  return causes.some((cause) => cause.reason === "ResourceVersionTooLarge");
}

function versioned<T>(raw: KubeObject, object: T): Versioned<T> {
  return { resourceVersion: raw.metadata.resourceVersion ?? "", object };
}

function notAnObject(server: string, resource: Resource): KubeConnectionError {
  return new KubeConnectionError({
    code: "INVALID_RESPONSE",
    server,
    detail: `the list of ${resource.plural} holds something without a name and version`,
  });
}
