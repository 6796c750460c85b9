import { poll } from "../../test/bed/poll.ts";
import { startCaller, type System } from "../../test/system/system.ts";
import { type Attempt, type Caller, outcomeOf } from "../../test/workload/caller.ts";
import { CONSUMER, NAMESPACE } from "./four-faults.ts";

/** Pods that share the mirrors to call among them. */
const CALLERS = 2;
const PERIOD_MS = 50;
/** Attempts in a row, of each mirror, after which a state counts as steady: a second of them. */
const STEADY = 20;
const STEADY_TIMEOUT_MS = 60_000;

/** Clients in the consumer that call some of the mirrors at a steady rate. */
export class CalledMirrors {
  readonly #callers: readonly Caller[];
  readonly #mirrors: number;
  readonly #mirrorsOfEach: number;

  private constructor(callers: readonly Caller[], mirrors: number, mirrorsOfEach: number) {
    this.#callers = callers;
    this.#mirrors = mirrors;
    this.#mirrorsOfEach = mirrorsOfEach;
  }

  /** Starts the callers of these URLs; resolves once each has made an attempt. */
  static async start(system: System, urls: readonly string[]): Promise<CalledMirrors> {
    const mirrorsOfEach = Math.ceil(urls.length / CALLERS);
    const callers = await Promise.all(
      Array.from({ length: CALLERS }, (_, index) =>
        startCaller(system, system.member(CONSUMER), {
          namespace: NAMESPACE,
          name: `caller-${index + 1}`,
          target: urls.slice(index * mirrorsOfEach, (index + 1) * mirrorsOfEach),
          periodMs: PERIOD_MS,
        }),
      ),
    );
    return new CalledMirrors(callers, urls.length, mirrorsOfEach);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#callers.map((caller) => caller.stop()));
  }

  /** The attempts heard of since the first that was begun at that time, their targets told apart over all callers. */
  attemptsSince(fromMs: number): Attempt[] {
    return this.#callers.flatMap(({ attempts }, caller) => {
      const from = attempts.findLastIndex(({ atMs }) => atMs < fromMs) + 1;
      return attempts.slice(from).map(({ target = 0, ...attempt }) => ({
        ...attempt,
        target: target + caller * this.#mirrorsOfEach,
      }));
    });
  }

  /**
   * Waits until the last second's attempts of every mirror are all as wanted.
   * @throws Error with what they were instead.
   */
  async untilSteady(awaited: string, matches: (attempt: Attempt) => boolean): Promise<void> {
    const sinceMs = Date.now();
    await poll(
      awaited,
      () => {
        const byMirror = Map.groupBy(this.attemptsSince(sinceMs), ({ target = 0 }) => target);
        const recent = [...byMirror.values()].map((each) => each.slice(-STEADY));
        const isSteady = recent.every((each) => each.length === STEADY && each.every(matches));
        if (isSteady && byMirror.size === this.#mirrors) return true;
        throw new Error(describe(recent.flat()));
      },
      { timeoutMs: STEADY_TIMEOUT_MS },
    );
  }
}

function describe(attempts: readonly Attempt[]): string {
  return Object.entries(Object.groupBy(attempts, outcomeOf))
    .map(([outcome, each = []]) => `${each.length} × ${outcome}`)
    .join(", ");
}
