import { setTimeout as sleep } from "node:timers/promises";
import type { Caller } from "../../test/workload/caller.ts";
import type { PodBook } from "./pod-book.ts";
import type { MemorySample } from "./state-oracle.ts";

const MEMORY_PERIOD_MS = 5000;
/** Attempts are fetched this often, so that little is left to fetch at the end. */
const COLLECT_PERIOD_MS = 20_000;

/** Notes memory and fetches attempts while a run goes on. */
export class Sampler {
  readonly memory: MemorySample[] = [];
  readonly #stopping = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(pods: PodBook, caller: Caller) {
    this.#running = Promise.all([
      this.#repeat(MEMORY_PERIOD_MS, async () => {
        this.memory.push(...pods.memory(Date.now()));
        await Promise.resolve();
      }),
      // What cannot be fetched now is fetched later.
      this.#repeat(COLLECT_PERIOD_MS, () => caller.collect().catch(() => undefined)),
    ]);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #repeat(periodMs: number, sample: () => Promise<void>): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await sample();
      // An abort only ends the wait.
      await sleep(periodMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
