import type { Clock, Random } from "../../api/clock.ts";
import { type KubeObject, keyOf } from "../../api/objects.ts";
import type { Resource } from "../../api/resources.ts";
import { ApiError, isApiError, KubeConnectionError } from "../client/api-error.ts";
import type { KubeClient } from "../client/client.ts";
import { type OpenWatch, openWatch } from "./open-watch.ts";
import type { Versioned } from "./store.ts";
import type { WatchEvent } from "../client/watch-stream.ts";

/**
 * Where a reflector stands, after kube-rs' `watcher::State`
 * (kube-runtime/src/watcher.rs): empty → listing (page by page) → listed →
 * watching; when a watch ends, interrupted → listed, or empty again when its
 * version has expired, was silent for too long, or is ahead of the server's.
 */
export type Phase<T> =
  | { name: "empty" }
  | {
      name: "listing";
      collected: Map<string, Versioned<T>>;
      beganAtMs: number;
      pages: number;
      keptBytes: number;
      continueToken: string | undefined;
    }
  | { name: "listed"; resourceVersion: string }
  | { name: "interrupted"; resourceVersion: string }
  | { name: "watching"; resourceVersion: string; watch: OpenWatch };

type ListingPhase<T> = Extract<Phase<T>, { name: "listing" }>;

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

/** What a server may fill; more is an error, LIST_TOO_LARGE. */
export interface ListBounds {
  /** Of one list; 1000 by default. */
  maxPages: number;
  /** Worth keeping; 100,000 by default. */
  maxObjects: number;
  /** In which a list sent those objects; 128 MiB by default. */
  maxBytes: number;
}

export const DEFAULT_BOUNDS: ListBounds = {
  maxPages: 1000,
  maxObjects: 100_000,
  maxBytes: 128 * 1024 * 1024,
};

export interface ListWatchOptions<T> {
  client: KubeClient;
  resource: Resource;
  selection: { namespace?: string; labelSelector?: string; fieldSelector?: string };
  pageSize: number;
  bounds: ListBounds;
  idleDeadlineMs: number;
  clock: Clock;
  random: Random;
  /** What is stored of an object; undefined to store nothing. */
  keep: (raw: KubeObject) => T | undefined;
  /** A page, the head of a watch or an event arrived. */
  onHeard: () => void;
}

/** A watch shorter than this counts as a failure, whatever it brought: it must not be reopened in a tight loop. */
const MIN_WATCH_MS = 1000;
/** The API server's own bound: after this etcd forgets the version that the pages are of. */
const MAX_LIST_MS = 5 * 60_000;

/** The steps of listing and watching one resource; failures are thrown to the caller, who decides when to go on. */
export class ListWatch<T> {
  readonly #options: ListWatchOptions<T>;
  /** Objects per page as far as pages of the wanted size work; undefined: all at once. */
  #limit: number | undefined;

  constructor(options: ListWatchOptions<T>) {
    this.#options = options;
    this.#limit = options.pageSize;
  }

  /** Takes one step from `phase`: one page, one comparison of versions, one opened watch, or one event. */
  async step(phase: Phase<T>, signal: AbortSignal): Promise<Step<T>> {
    if (phase.name === "watching") return await this.#nextEvent(phase);
    if (phase.name === "interrupted") return unchanged(await this.#compareVersions(phase, signal));
    if (phase.name === "listed") {
      const watch = openWatch({ ...this.#options, ...phase }, signal);
      return unchanged({ ...phase, name: "watching", watch });
    }
    return await this.#listPage(phase.name === "listing" ? phase : this.#beginning(), signal);
  }

  /** From where to go on after `phase` failed with `error`. */
  recover(phase: Phase<T>, error: unknown): Phase<T> {
    if (phase.name === "watching") phase.watch.close();
    if (needsRelist(error)) {
      // Pages that expire before the next was asked for never make a whole: then all at once.
      if (phase.name === "listing") this.#limit = undefined;
      return { name: "empty" };
    }
    if (hasCode(error, "LIST_TOO_LARGE") || isApiError(error, 400)) return { name: "empty" };
    if (phase.name === "watching" || phase.name === "listed") {
      return { name: "interrupted", resourceVersion: phase.resourceVersion };
    }
    // Objects may be so large that fewer of them have to come at once.
    if (hasCode(error, "RESPONSE_TOO_LARGE"))
      this.#limit = Math.ceil((this.#limit ?? this.#options.pageSize * 4) / 4);
    return phase;
  }

  /** Whether `phase` is a watch that has lasted. */
  hasWorked(phase: Phase<T>): boolean {
    if (phase.name !== "watching") return false;
    const { watch } = phase;
    return watch.answered() && this.#options.clock.nowMs() - watch.openedAtMs >= MIN_WATCH_MS;
  }

  #beginning(): ListingPhase<T> {
    const beganAtMs = this.#options.clock.nowMs();
    const collected = new Map<string, Versioned<T>>();
    const counts = { pages: 0, keptBytes: 0 };
    return { name: "listing", collected, beganAtMs, ...counts, continueToken: undefined };
  }

  async #listPage(listing: ListingPhase<T>, signal: AbortSignal): Promise<Step<T>> {
    const { client, resource, selection, keep, onHeard } = this.#options;
    const { collected, continueToken } = listing;
    const page = await client.list(resource, {
      ...selection,
      ...(this.#limit !== undefined && { limit: this.#limit }),
      signal,
      ...(continueToken !== undefined && { continueToken }),
    });
    onHeard();
    const keptBefore = collected.size;
    for (const raw of page.items) {
      const object = keep(raw);
      if (object !== undefined) collected.set(keyOf(raw), versioned(raw, object));
    }
    const keptShare = (collected.size - keptBefore) / Math.max(1, page.items.length);
    const next: ListingPhase<T> = {
      ...listing,
      pages: listing.pages + 1,
      keptBytes: listing.keptBytes + page.bytes * keptShare,
      continueToken: page.continueToken,
    };
    this.#assertBounds(next);
    if (page.continueToken !== undefined) return unchanged(next);
    this.#limit ??= this.#options.pageSize;
    return {
      phase: { name: "listed", resourceVersion: page.resourceVersion },
      change: { type: "replace", entries: collected },
      progress: false,
    };
  }

  /** A server may go on for ever; what it may fill is bounded. */
  #assertBounds({ pages, collected, keptBytes, beganAtMs, continueToken }: ListingPhase<T>): void {
    const { client, resource, clock } = this.#options;
    const { maxPages, maxObjects, maxBytes } = this.#options.bounds;
    const complaint = [
      { text: `more than ${maxObjects} objects to keep`, is: collected.size > maxObjects },
      { text: `more than ${maxBytes} bytes to keep`, is: keptBytes > maxBytes },
      {
        text: `more than ${maxPages} pages`,
        is: continueToken !== undefined && pages >= maxPages,
      },
      {
        text: `no end after ${MAX_LIST_MS / 60_000} minutes`,
        is: continueToken !== undefined && clock.nowMs() - beganAtMs > MAX_LIST_MS,
      },
    ].find(({ is }) => is);
    if (complaint !== undefined) {
      throw tooMany(client, `the list of ${resource.plural} has ${complaint.text}`);
    }
  }

  /**
   * An API server accepts a watch from a version it has not reached, and then
   * withholds every event until it has: after etcd was restored from an older
   * backup, a watch that went on would miss what happened since.
   */
  async #compareVersions(
    { resourceVersion }: { resourceVersion: string },
    signal: AbortSignal,
  ): Promise<Phase<T>> {
    const { client, resource, selection } = this.#options;
    const now = await client.list(resource, { ...selection, limit: 1, signal });
    return isBefore(now.resourceVersion, resourceVersion)
      ? { name: "empty" }
      : { name: "listed", resourceVersion };
  }

  async #nextEvent(phase: Extract<Phase<T>, { name: "watching" }>): Promise<Step<T>> {
    const { watch, resourceVersion } = phase;
    let result: IteratorResult<WatchEvent>;
    try {
      result = await watch.events.next();
    } catch (error) {
      if (!watch.idle()) throw error;
      // Bookmarks come every minute: one that brought none may be withheld from us, so we look anew.
      watch.close();
      return {
        phase: { name: "empty" },
        change: { type: "none" },
        progress: this.hasWorked(phase),
      };
    }
    if (result.done === true) {
      watch.close();
      return {
        phase: { name: "interrupted", resourceVersion },
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
    phase.watch.heard();
    const progress = this.hasWorked(phase);
    if (event.type === "BOOKMARK") {
      const { resourceVersion } = event;
      return { phase: { ...phase, resourceVersion }, change: { type: "none" }, progress };
    }
    const { object: raw } = event;
    const resourceVersion = raw.metadata.resourceVersion ?? phase.resourceVersion;
    return {
      phase: { ...phase, resourceVersion },
      change: this.#changeOf(event.type, raw),
      progress,
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

/** More is to be kept than may be. */
export function tooMany({ server }: KubeClient, detail: string): KubeConnectionError {
  return new KubeConnectionError({ code: "LIST_TOO_LARGE", server, detail });
}

function unchanged<T>(phase: Phase<T>): Step<T> {
  return { phase, change: { type: "none" }, progress: false };
}

/** Versions compare as numbers (KEP-5504); of others nothing can be said. */
function isBefore(version: string, other: string): boolean {
  return /^\d+ \d+$/.test(`${version} ${other}`) && BigInt(version) < BigInt(other);
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof KubeConnectionError && error.code === code;
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
