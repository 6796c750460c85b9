import { formatSource } from "../../api/ownership.ts";
import type { Observed, Recorded } from "./plan/plan.ts";
import type { Target } from "./plan/targets.ts";

interface Entry {
  readonly ownReady: boolean;
  readonly ownSinceMs: number;
  /** By target, since when it is healthy. */
  readonly healthySinceMs: ReadonlyMap<string, number>;
}

/** A decision, and since when the state it led to lasts: RFC 3339. */
export interface Decided extends Recorded {
  readonly since: string;
}

/** For how long things have been as they are, by Service. What was before the first look counts for nothing. */
export class FailoverMemory {
  readonly #entries = new Map<string, Entry>();
  readonly #decided = new Map<string, Decided>();

  /** Takes in how a Service and its targets are now. */
  observe(
    service: string,
    now: { ownReady: boolean; ownUsable: boolean; targets: readonly Target[] },
    nowMs: number,
  ): Observed {
    const { ownReady, ownUsable, targets } = now;
    const before = this.#entries.get(service);
    const healthySinceMs = new Map(
      targets
        .filter(({ healthy }) => healthy)
        .map(({ source }) => {
          const key = formatSource(source);
          return [key, before?.healthySinceMs.get(key) ?? nowMs];
        }),
    );
    const ownSinceMs = before?.ownReady === ownReady ? before.ownSinceMs : nowMs;
    this.#entries.set(service, { ownReady, ownSinceMs, healthySinceMs });
    return {
      ownReady,
      ownUsable,
      ownForMs: Math.max(0, nowMs - ownSinceMs),
      healthyForMs: ({ source }) =>
        Math.max(0, nowMs - (healthySinceMs.get(formatSource(source)) ?? nowMs)),
    };
  }

  /** What was decided last; the cache of slices may be behind it. */
  decided(service: string): Decided | undefined {
    return this.#decided.get(service);
  }

  decide(service: string, decided: Decided): void {
    this.#decided.set(service, decided);
  }

  forget(service: string): void {
    this.#entries.delete(service);
    this.#decided.delete(service);
  }
}
