import { splitKey } from "../../api/objects.ts";
import type { Store } from "./store.ts";

/** Reads several stores as one: each holds the objects of one namespace. */
export class MergedStore<T> implements Store<T> {
  readonly #stores: ReadonlyMap<string, Store<T>>;

  /** @param stores by namespace */
  constructor(stores: ReadonlyMap<string, Store<T>>) {
    this.#stores = stores;
  }

  get(key: string): T | undefined {
    return this.#stores.get(splitKey(key).namespace ?? "")?.get(key);
  }

  list(): T[] {
    return [...this.#stores.values()].flatMap((store) => store.list());
  }

  keys(): string[] {
    return [...this.#stores.values()].flatMap((store) => store.keys());
  }

  get size(): number {
    return [...this.#stores.values()].reduce((sum, { size }) => sum + size, 0);
  }
}
