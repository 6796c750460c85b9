import type { Clock } from "../../api/clock.ts";

/**
 * How much there is of a source, from nothing to all: nothing that is mirrored
 * here, a Service without a ready endpoint, one with.
 */
export const PRESENCES = ["absent", "idle", "ready"] as const;

export type Presence = (typeof PRESENCES)[number];

/** How far a source may be followed now. */
export interface Admitted {
  readonly presence: Presence;
  /** It flaps: so many milliseconds it is followed no further; 0 when it does not. */
  readonly pauseMs: number;
}

/** How often a source may rise: so many times in a row, and once more each `refillMs`. */
export interface DamperLimits {
  readonly burst: number;
  readonly refillMs: number;
}

/** A few rises are a rollout or a person at work; what goes on beyond that is a fault. */
export const DAMPER_LIMITS: DamperLimits = { burst: 5, refillMs: 10_000 };

interface Entry {
  readonly presence: Presence;
  /** What its bucket holds: a rise costs `refillMs`. Whole milliseconds, so that no rounding adds up. */
  readonly creditMs: number;
  /** When `creditMs` was right. */
  readonly atMs: number;
}

/**
 * Bounds what a source that comes and goes makes us write. What it takes away
 * is followed at once, what it brings costs credit of its bucket: in any time
 * span it rises at most `burst` + 1 times and once for each refill in it.
 */
export class Damper {
  readonly #clock: Clock;
  readonly #limits: DamperLimits;
  /** The one that rose least recently first. */
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock, limits: DamperLimits = DAMPER_LIMITS) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** How far `owner` may be followed now that so much of it is there; ask again after the pause. */
  admit(owner: string, presence: Presence): Admitted {
    this.#dropCalm();
    const nowMs = this.#clock.nowMs();
    const { burst, refillMs } = this.#limits;
    const entry = this.#entries.get(owner) ?? { presence, creditMs: burst * refillMs, atMs: nowMs };
    const creditMs = Math.min(burst * refillMs, entry.creditMs + Math.max(0, nowMs - entry.atMs));
    const rises = PRESENCES.indexOf(presence) > PRESENCES.indexOf(entry.presence);
    if (rises && creditMs >= refillMs) {
      this.#entries.delete(owner);
      this.#entries.set(owner, { presence, creditMs: creditMs - refillMs, atMs: nowMs });
      return { presence, pauseMs: 0 };
    }
    const admitted = rises ? entry.presence : presence;
    this.#entries.set(owner, { ...entry, presence: admitted });
    const pauseMs = admitted === "ready" ? 0 : Math.max(0, refillMs - creditMs);
    return { presence: admitted, pauseMs };
  }

  /** Buckets that are full again say no more than none. */
  #dropCalm(): void {
    const { burst, refillMs } = this.#limits;
    const calmSinceMs = this.#clock.nowMs() - burst * refillMs;
    for (const [owner, { atMs }] of this.#entries) {
      if (atMs > calmSinceMs) return;
      this.#entries.delete(owner);
    }
  }
}
