import { poll } from "../bed/poll.ts";
import type { ProxyMode } from "../bed/bed.ts";
import { type Attempt, type Caller, outcomeOf } from "../workload/caller.ts";
import { type Member, startCaller, type System } from "./system.ts";

/** What is called from every place. */
export interface CallTarget {
  readonly url: string;
  /** What an answer says after the cluster's name; nothing by default. */
  readonly says?: string;
}

/** Somewhere from where Services are called: in a pod, or on a node itself. */
interface Place {
  readonly name: string;
  readonly proxyMode: ProxyMode;
  readonly caller: Caller;
}

const STATE_TIMEOUT_MS = 60_000;
const PERIOD_MS = 400;
/** What is lost on its way is so for good; a starved machine may take a second. */
const ATTEMPT_TIMEOUT_MS = 3000;
const REFUSED = new Set(["ECONNREFUSED", "ECONNRESET"]);

/** Callers in pods of a cluster's nodes and on the nodes themselves, which call the same targets all the time. */
export class Places<Name extends string> {
  readonly #targets: Readonly<Record<Name, CallTarget>>;
  readonly #names: readonly string[];
  readonly #places: readonly Place[];

  private constructor(targets: Readonly<Record<Name, CallTarget>>, places: readonly Place[]) {
    this.#targets = targets;
    this.#names = Object.keys(targets);
    this.#places = places;
  }

  /** Starts a caller in a pod and one in the network of each of the cluster's nodes. */
  static async start<Name extends string>(
    system: System,
    member: Member,
    options: {
      namespace: string;
      targets: Readonly<Record<Name, CallTarget>>;
    },
  ): Promise<Places<Name>> {
    const { namespace, targets } = options;
    const target = Object.values<CallTarget>(targets).map(({ url }) => url);
    const wanted = member.cluster.nodes.flatMap((node) =>
      [false, true].map((hostNetwork) => ({ node, hostNetwork })),
    );
    const places = await Promise.all(
      wanted.map(async ({ node, hostNetwork }) => {
        const name = `${hostNetwork ? "node" : "pod"}-of-${node.name}`;
        const caller = await startCaller(system, member, {
          namespace,
          name,
          target,
          hostNetwork,
          nodeName: node.name,
          periodMs: PERIOD_MS,
          timeoutMs: ATTEMPT_TIMEOUT_MS,
        });
        return { name, caller, proxyMode: node.proxyMode };
      }),
    );
    return new Places(targets, places);
  }

  /**
   * Waits until in every place the latest attempts at these targets, begun at or after `sinceMs`, were answered by a
   * cluster.
   */
  async untilAnsweredBy(
    cluster: string,
    names: readonly Name[],
    { sinceMs, inARow = 2 }: { sinceMs: number; inARow?: number },
  ): Promise<void> {
    const isAnswer = (name: Name) => `200 hello from ${cluster}${this.#targets[name].says ?? ""}`;
    await this.#until(
      `answers from ${cluster}`,
      names,
      { sinceMs, inARow },
      (attempt, name) => outcomeOf(attempt) === isAnswer(name),
    );
  }

  /** Like {@link untilAnsweredBy}, until attempts are refused. */
  async untilRefused(
    names: readonly Name[],
    { sinceMs, inARow = 2 }: { sinceMs: number; inARow?: number },
  ): Promise<void> {
    await this.#until("refusals", names, { sinceMs, inARow }, ({ code }) =>
      REFUSED.has(code ?? ""),
    );
  }

  /**
   * The attempts at these targets begun at or after `sinceMs` that were not answered, in words. Those from nodes where
   * kube-proxy uses iptables are left out: it may lose one whenever its rules change (docs/adr/0008).
   */
  failures(names: readonly Name[], sinceMs: number): string[] {
    return this.#those(names, sinceMs, ({ status }) => status === undefined);
  }

  /** Like {@link failures}, those that nobody refused either. */
  hangs(names: readonly Name[], sinceMs: number): string[] {
    return this.#those(names, sinceMs, ({ code }) => code === "ETIMEDOUT");
  }

  #those(
    names: readonly Name[],
    sinceMs: number,
    matches: (attempt: Attempt) => boolean,
  ): string[] {
    const wanted = new Set<string>(names);
    return this.#places
      .filter(({ proxyMode }) => proxyMode !== "iptables")
      .flatMap(({ name, caller }) =>
        caller.attempts
          .filter(({ atMs }) => atMs >= sinceMs)
          .filter((attempt) => wanted.has(this.#nameOf(attempt)) && matches(attempt))
          .map((attempt) => {
            const seconds = ((attempt.atMs - sinceMs) / 1000).toFixed(1);
            return `${name} ${this.#nameOf(attempt)} after ${seconds} s: ${outcomeOf(attempt)}`;
          }),
      );
  }

  async #until(
    awaited: string,
    names: readonly Name[],
    { sinceMs, inARow }: { sinceMs: number; inARow: number },
    matches: (attempt: Attempt, name: Name) => boolean,
  ): Promise<void> {
    const lines = this.#places.flatMap((place) => names.map((name) => ({ place, name })));
    const attemptsOf = ({ place, name }: (typeof lines)[number]) =>
      place.caller.attempts.filter(
        (attempt) => attempt.atMs >= sinceMs && this.#nameOf(attempt) === name,
      );
    const isSteady = () => {
      const late = lines.flatMap((line) => {
        const latest = attemptsOf(line).slice(-inARow);
        const isSo =
          latest.length === inARow && latest.every((attempt) => matches(attempt, line.name));
        return isSo ? [] : `${line.place.name} ${line.name}: ${outcomeOf(latest.at(-1))}`;
      });
      if (late.length === 0) return true;
      throw new Error(late.join("; "));
    };
    await poll(awaited, isSteady, { timeoutMs: STATE_TIMEOUT_MS });
  }

  #nameOf({ target = 0 }: Attempt): string {
    return this.#names[target] ?? "";
  }
}
