import type { Reason } from "../../api/reasons.ts";
import type { MirrorMetrics } from "./metrics.ts";
import type { Skip } from "./policies.ts";

/** What became of one source. */
export type Entry =
  | { readonly kind: "mirrored"; readonly state: "open" | "closed"; readonly notices: string }
  | ({ readonly kind: "skipped" } & Skip);

/** A source that is not mirrored, as `skips` lists it. */
export interface SkippedSource extends Skip {
  /** `namespace/name` at the provider. */
  readonly source: string;
}

export interface Tally {
  readonly mirrored: number;
  readonly skipped: number;
}

/** What became of every source of every link, and how many there are of each. */
export class Ledger {
  readonly #metrics: MirrorMetrics;
  readonly #entries = new Map<string, Map<string, Entry>>();
  readonly #listeners = new Set<(link: string) => void>();

  constructor(metrics: MirrorMetrics) {
    this.#metrics = metrics;
  }

  /** Notes what became of a source; undefined when there is nothing to say of it. Returns what was noted before. */
  note(link: string, sourceKey: string, entry: Entry | undefined): Entry | undefined {
    const entries = this.#entries.get(link) ?? new Map<string, Entry>();
    const before = entries.get(sourceKey);
    if (entry === undefined) entries.delete(sourceKey);
    else entries.set(sourceKey, entry);
    if (entries.size === 0) this.#entries.delete(link);
    else this.#entries.set(link, entries);
    this.#count(link, before, -1);
    this.#count(link, entry, 1);
    if (before?.kind !== entry?.kind) for (const listener of this.#listeners) listener(link);
    return before;
  }

  sourcesOf(link: string): string[] {
    return [...(this.#entries.get(link)?.keys() ?? [])];
  }

  tally(link: string): Tally {
    const entries = [...(this.#entries.get(link)?.values() ?? [])];
    const mirrored = entries.filter(({ kind }) => kind === "mirrored").length;
    return { mirrored, skipped: entries.length - mirrored };
  }

  skips(link: string): SkippedSource[] {
    return [...(this.#entries.get(link) ?? [])].flatMap(([source, entry]) =>
      entry.kind === "skipped"
        ? [{ source, reason: entry.reason, message: entry.message }]
        : [],
    );
  }

  /** Calls `listener` whenever a link's tally has changed; returns how to end that. */
  onTally(listener: (link: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends the metric series of a link that is gone. */
  forget(link: string, reasons: readonly Reason[]): void {
    this.#entries.delete(link);
    for (const state of ["open", "closed"]) this.#metrics.mirrors.remove({ link, state });
    for (const reason of reasons) this.#metrics.skipped.remove({ link, reason });
  }

  #count(link: string, entry: Entry | undefined, by: 1 | -1): void {
    switch (entry?.kind) {
      case "mirrored":
        this.#metrics.mirrors.inc({ link, state: entry.state }, by);
        return;
      case "skipped":
        this.#metrics.skipped.inc({ link, reason: entry.reason }, by);
        return;
      case undefined:
        return;
    }
  }
}
