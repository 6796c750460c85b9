import type { Startable } from "../../api/startable.ts";
import type { ReflectorEvent, Store } from "./store.ts";

/** A local copy of objects that follows the API server, however many watches it is made of. */
export interface ObjectCache<T> extends Startable {
  readonly store: Store<T>;
  /** Whether everything that may be read has been listed once. */
  readonly synced: boolean;
  /** Calls `listener` for every change from now on; returns how to end that. */
  onEvent(listener: (event: ReflectorEvent<T>) => void): () => void;
  /** Resolves once it is synced; rejects when `signal` aborts, or it is stopped, before. */
  waitForSync(signal: AbortSignal): Promise<void>;
}
