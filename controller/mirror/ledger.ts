import { type Reason, REASONS } from "../../api/reasons.ts";
import type { MirrorMetrics } from "./metrics.ts";
import type { Skip } from "./plan/policies.ts";

/** What became of one source. */
export type Entry =
  | {
      readonly kind: "mirrored";
      readonly state: "open" | "closed";
      /** Why it is so. */
      readonly reason: Reason;
      readonly notices: readonly Skip[];
    }
  | { readonly kind: "skipped"; readonly skip: Skip };

/** A source that is not mirrored, as `skips` lists it. */
export interface SkippedSource extends Skip {
  /** `namespace/name` at the provider. */
  readonly source: string;
}

export interface Tally {
  readonly mirrored: number;
  readonly skipped: number;
}

interface Account {
  readonly entries: Map<string, Entry>;
  readonly counts: Record<Entry["kind"], number>;
}

/** What became of every source of every link, and how many there are of each. */
export class Ledger {
  readonly #metrics: MirrorMetrics;
  readonly #accounts = new Map<string, Account>();
  readonly #listeners = new Set<(link: string) => void>();

  constructor(metrics: MirrorMetrics) {
    this.#metrics = metrics;
  }

  /** Notes what became of a source, undefined when it is neither mirrored nor to be; returns what was noted before. */
  note(link: string, sourceKey: string, entry: Entry | undefined): Entry | undefined {
    const account = this.#accounts.get(link) ?? {
      entries: new Map<string, Entry>(),
      counts: { mirrored: 0, skipped: 0 },
    };
    this.#accounts.set(link, account);
    const before = account.entries.get(sourceKey);
    if (entry === undefined) account.entries.delete(sourceKey);
    else account.entries.set(sourceKey, entry);
    this.#count(link, account, before, -1);
    this.#count(link, account, entry, 1);
    if (account.entries.size === 0) this.#accounts.delete(link);
    if (before?.kind !== entry?.kind) this.notify(link);
    return before;
  }

  /** Why the source has no mirror, if that was noted. */
  skipOf(link: string, sourceKey: string): Skip | undefined {
    const entry = this.#accounts.get(link)?.entries.get(sourceKey);
    return entry?.kind === "skipped" ? entry.skip : undefined;
  }

  sourcesOf(link: string): string[] {
    return [...(this.#accounts.get(link)?.entries.keys() ?? [])];
  }

  tally(link: string): Tally {
    return { ...(this.#accounts.get(link)?.counts ?? { mirrored: 0, skipped: 0 }) };
  }

  skips(link: string): SkippedSource[] {
    return [...(this.#accounts.get(link)?.entries ?? [])].flatMap(([source, entry]) =>
      entry.kind === "skipped" ? [{ source, ...entry.skip }] : [],
    );
  }

  /** Calls `listener` whenever a link's tally has changed; returns how to end that. */
  onTally(listener: (link: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Has the listeners look at a link. */
  notify(link: string): void {
    for (const listener of this.#listeners) listener(link);
  }

  /** Ends the metric series of a link that is gone. */
  forget(link: string): void {
    if (this.#accounts.has(link)) return;
    for (const state of ["open", "closed"]) this.#metrics.mirrors.remove({ link, state });
    for (const reason of Object.values(REASONS)) {
      this.#metrics.skipped.remove({ link, reason });
      this.#metrics.closed.remove({ link, reason });
    }
  }

  #count(link: string, account: Account, entry: Entry | undefined, by: 1 | -1): void {
    if (entry === undefined) return;
    account.counts[entry.kind] += by;
    if (entry.kind === "skipped") {
      this.#metrics.skipped.inc({ link, reason: entry.skip.reason }, by);
      return;
    }
    const { state, reason } = entry;
    this.#metrics.mirrors.inc({ link, state }, by);
    if (state === "closed") this.#metrics.closed.inc({ link, reason }, by);
  }
}
