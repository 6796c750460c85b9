import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { type Clock, type Random, systemClock } from "../../api/clock.ts";
import { errorMessage } from "../../api/errors.ts";
import type { Logger } from "../../kube/logger.ts";
import { type GatewayAddress, authorityOf } from "../session/peer-session.ts";

/** The addresses of a DNS name, of both families; rejects when there are none. */
export type ResolveName = (name: string) => Promise<readonly string[]>;

export const RESOLVE_INTERVAL_MS = 30_000;
/** Looked up this often at most while the link is down, or its name was never answered. */
const URGENT_INTERVAL_MS = 5_000;
const JITTER = 0.1;
/** An address that is missing from so many answers in a row is gone: some servers answer with a part of a name's addresses each time. */
const MISSES = 2;
/** Addresses of one link, whatever DNS says: each has sessions of its own. */
export const MAX_ADDRESSES = 16;

export interface GatewayNamesOptions {
  /** The pod's own resolver when absent. */
  resolve?: ResolveName;
  /** How often a name is looked up, in ms; RESOLVE_INTERVAL_MS when absent. */
  intervalMs?: number;
  clock?: Clock;
}

/** A name that is followed; each address with the answers in a row that it was missing from. */
interface FollowedName {
  readonly stopping: AbortController;
  readonly found: Map<string, number>;
  answered: boolean;
  failure: string | undefined;
}

/**
 * The IP addresses behind a link's gateway addresses: names are looked up now
 * and then again, so that replicas may come and go behind them. A lookup that
 * fails changes nothing. What a name leads to is not restricted: whoever
 * writes the Link decides it, and a gateway there has to prove its identity.
 */
export class GatewayNames {
  readonly #options: Required<GatewayNamesOptions>;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #isUp: () => boolean;
  readonly #onChange: () => void;
  readonly #names = new Map<string, FollowedName>();
  #given: readonly GatewayAddress[] = [];

  constructor(options: {
    names: GatewayNamesOptions;
    random: Random;
    logger: Logger;
    /** Whether the link is up with what is known: if not, names are looked up more often. */
    isUp: () => boolean;
    /** `addresses` changed, or `failure` did. */
    onChange: () => void;
  }) {
    const { resolve = resolveName, intervalMs = RESOLVE_INTERVAL_MS } = options.names;
    this.#options = { resolve, intervalMs, clock: options.names.clock ?? systemClock };
    this.#random = options.random;
    this.#logger = options.logger;
    this.#isUp = options.isUp;
    this.#onChange = options.onChange;
  }

  /** Where to dial now: at most 16, each once, those given as IP addresses and the older ones first. */
  get addresses(): GatewayAddress[] {
    const literal = this.#given.filter(({ host }) => isIP(host) !== 0);
    const resolved = this.#given.flatMap(({ host, port }) =>
      [...(this.#names.get(host)?.found.keys() ?? [])].map((ip) => ({ host: ip, port })),
    );
    const unique = new Map([...literal, ...resolved].map((each) => [authorityOf(each), each]));
    return [...unique.values()].slice(0, MAX_ADDRESSES);
  }

  /** Whether a name has neither been answered nor failed yet. */
  get pending(): boolean {
    return [...this.#names.values()].some((name) => !name.answered && name.failure === undefined);
  }

  /** Why the last lookup of a name failed, while it does. */
  get failure(): string | undefined {
    return [...this.#names.values()].find(({ failure }) => failure !== undefined)?.failure;
  }

  /** Follows these; IP addresses count at once. */
  set(given: readonly GatewayAddress[]): void {
    this.#given = given;
    const wanted = new Set(given.map(({ host }) => host).filter((host) => isIP(host) === 0));
    for (const [name, { stopping }] of this.#names) {
      if (wanted.has(name)) continue;
      stopping.abort();
      this.#names.delete(name);
    }
    for (const name of wanted) {
      if (!this.#names.has(name)) void this.#follow(name);
    }
  }

  stop(): void {
    this.set([]);
  }

  async #follow(name: string): Promise<void> {
    const stopping = new AbortController();
    const followed: FollowedName = {
      stopping,
      found: new Map(),
      answered: false,
      failure: undefined,
    };
    this.#names.set(name, followed);
    const { signal } = stopping;
    while (!signal.aborted) {
      await this.#look(name, followed);
      await this.#pause(followed, signal);
    }
  }

  async #look(name: string, followed: FollowedName): Promise<void> {
    try {
      const answer = await this.#options.resolve(name);
      if (followed.stopping.signal.aborted) return;
      const addresses = answer.filter((address) => isIP(address) !== 0);
      if (addresses.length === 0) throw new Error("no address");
      followed.answered = true;
      followed.failure = undefined;
      if (merge(followed.found, addresses)) {
        this.#logger.info({ name, addresses: [...followed.found.keys()] }, "gateway name resolved");
      }
    } catch (error) {
      if (followed.stopping.signal.aborted) return;
      const failure = `${name}: ${errorMessage(error)}`;
      if (followed.failure !== failure) this.#logger.warn({ name, failure }, "name not resolved");
      followed.failure = failure;
    }
    this.#onChange();
  }

  /** Ends early when the link has gone down: its gateway may have moved. */
  async #pause({ answered }: FollowedName, signal: AbortSignal): Promise<void> {
    const { clock, intervalMs } = this.#options;
    const share = 1 - JITTER + 2 * JITTER * this.#random();
    const stepMs = Math.min(intervalMs, URGENT_INTERVAL_MS) * share;
    const isUrgent = () => !answered || !this.#isUp();
    for (let sleptMs = 0; sleptMs < intervalMs * share; sleptMs += stepMs) {
      if (sleptMs > 0 && isUrgent()) return;
      try {
        await clock.sleep(stepMs, signal);
      } catch {
        return;
      }
    }
  }
}

/** Takes an answer over; whether the addresses are others now. New ones count only while there is room. */
function merge(found: Map<string, number>, answer: readonly string[]): boolean {
  const before = [...found.keys()].join();
  const present = new Set(answer);
  for (const [address, misses] of found) {
    if (present.has(address)) found.set(address, 0);
    else if (misses + 1 >= MISSES) found.delete(address);
    else found.set(address, misses + 1);
  }
  // Sorted: the order of an answer changes from one to the next.
  for (const address of [...present].toSorted()) {
    if (found.size < MAX_ADDRESSES && !found.has(address)) found.set(address, 0);
  }
  return [...found.keys()].join() !== before;
}

/** By the pod's resolver: its search domains, its hosts file, both families. */
async function resolveName(name: string): Promise<string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address);
}
