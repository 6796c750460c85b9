import { isDeepStrictEqual } from "node:util";
/** What a reflector keeps: objects by `keyOf`, read only. */
export interface Store<T> {
  get(key: string): T | undefined;
  list(): T[];
  keys(): string[];
  readonly size: number;
}

/** One change of a store, after which the store already shows it. */
export type ReflectorEvent<T> =
  | { type: "apply"; key: string; object: T; previous: T | undefined }
  | { type: "delete"; key: string; previous: T };

/** An object with the resource version it had on the server, whatever was stripped from it. */
export interface Versioned<T> {
  resourceVersion: string;
  object: T;
}

/** The store behind a reflector: every change yields the events it amounts to. */
export class ObjectStore<T> implements Store<T> {
  #entries = new Map<string, Versioned<T>>();

  get(key: string): T | undefined {
    return this.#entries.get(key)?.object;
  }

  list(): T[] {
    return [...this.#entries.values()].map((entry) => entry.object);
  }

  keys(): string[] {
    return [...this.#entries.keys()];
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Puts one object; the same resource version as before is no change. */
  apply(key: string, entry: Versioned<T>): ReflectorEvent<T>[] {
    const previous = this.#entries.get(key);
    if (previous?.resourceVersion === entry.resourceVersion) return [];
    this.#entries.set(key, entry);
    return [{ type: "apply", key, object: entry.object, previous: previous?.object }];
  }

  /** Removes one object, if it is there. */
  delete(key: string): ReflectorEvent<T>[] {
    const previous = this.#entries.get(key);
    if (previous === undefined) return [];
    this.#entries.delete(key);
    return [{ type: "delete", key, previous: previous.object }];
  }

  /**
   * Swaps the whole content at once and yields the difference, deletions
   * first: a reader sees the old state or the new one, never half of either.
   * A version alone does not prove two objects the same here: an etcd that was
   * restored from a backup gives its versions out anew.
   */
  replace(entries: ReadonlyMap<string, Versioned<T>>): ReflectorEvent<T>[] {
    const before = this.#entries;
    this.#entries = new Map(entries);
    const events: ReflectorEvent<T>[] = [];
    for (const [key, { object }] of before) {
      if (!entries.has(key)) events.push({ type: "delete", key, previous: object });
    }
    for (const [key, entry] of entries) {
      const previous = before.get(key);
      if (
        previous?.resourceVersion !== entry.resourceVersion ||
        !isDeepStrictEqual(previous.object, entry.object)
      ) {
        events.push({ type: "apply", key, object: entry.object, previous: previous?.object });
      }
    }
    return events;
  }
}
