import type { Clock } from "../../api/clock.ts";
import type { Service } from "../../api/objects.ts";
import { offeredPort } from "./authorize.ts";

/** What a stream was admitted to. */
export interface Admitted {
  /** `namespace/name`. */
  readonly service: string;
  readonly port: number;
  readonly consumer: string;
}

export interface OpenStreamsOptions {
  /** Exported Services by `namespace/name`, as they are now. */
  services: { get(key: string): Service | undefined };
  /** How long streams go on that would not be admitted any more; 0: not at all. */
  graceMs: number;
  clock: Clock;
}

/** Streams that stand or fall together. */
interface Group {
  readonly admitted: Admitted;
  readonly cuts: Set<() => void>;
  /** While they are not admitted any more: aborted when they are again, or when none is left. */
  grace: AbortController | undefined;
}

/**
 * The open streams of the ingress by what they were admitted to. When that is
 * taken back (by the export, its consumers or its ports) they are cut after a
 * grace, unless it is given again meanwhile. Readiness plays no part: a pod
 * that drains finishes what it has.
 */
export class OpenStreams {
  readonly #options: OpenStreamsOptions;
  readonly #byService = new Map<string, Map<string, Group>>();

  constructor(options: OpenStreamsOptions) {
    this.#options = options;
  }

  /** Notes a stream just admitted, and how it is cut. Returns how to forget it, once it has ended. */
  add(admitted: Admitted, cut: () => void): () => void {
    const { service, port, consumer } = admitted;
    const groups = this.#byService.get(service) ?? new Map<string, Group>();
    const key = `${consumer} ${port}`;
    const group = groups.get(key) ?? { admitted, cuts: new Set(), grace: undefined };
    this.#byService.set(service, groups);
    groups.set(key, group);
    group.cuts.add(cut);
    return () => {
      group.cuts.delete(cut);
      if (group.cuts.size > 0 || groups.get(key) !== group) return;
      group.grace?.abort();
      groups.delete(key);
      if (groups.size === 0 && this.#byService.get(service) === groups) {
        this.#byService.delete(service);
      }
    };
  }

  /** Looks anew at the streams of a Service that changed or is gone. */
  review(service: string): void {
    for (const group of this.#byService.get(service)?.values() ?? []) {
      if (this.#isAdmitted(group)) {
        group.grace?.abort();
        group.grace = undefined;
      } else if (group.grace === undefined) {
        group.grace = new AbortController();
        void this.#cutAfterGrace(group, group.grace.signal);
      }
    }
  }

  /** Waits for no grace any more, and cuts nothing. */
  stop(): void {
    for (const groups of this.#byService.values()) {
      for (const { grace } of groups.values()) grace?.abort();
    }
  }

  #isAdmitted({ admitted: { service, port, consumer } }: Group): boolean {
    return "offered" in offeredPort(this.#options.services.get(service), { consumer, port });
  }

  async #cutAfterGrace(group: Group, signal: AbortSignal): Promise<void> {
    const { graceMs, clock } = this.#options;
    try {
      if (graceMs > 0) await clock.sleep(graceMs, signal);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    for (const cut of group.cuts) cut();
  }
}
