import { FAULT_NAMES, type FaultName, faultKind } from "./fault-kinds.ts";
import { between, seededRandom, shuffled } from "./random.ts";

/** Providers, and the Services that each of them exports. */
export interface ChaosWorld {
  readonly providers: readonly string[];
  readonly services: readonly string[];
}

/** What a fault acts on; without a provider the consumer, without a Service the whole provider. */
export interface FaultTarget {
  readonly provider?: string;
  readonly service?: string;
}

/** A fault that is to happen. */
export interface PlannedFault extends FaultTarget {
  readonly id: number;
  readonly name: FaultName;
  /** After the one before it in its lane was over. */
  readonly pauseMs: number;
  readonly holdMs: number;
  /** From 0 up to 1: what the fault itself has to choose. */
  readonly choice: number;
}

/** Faults of one lane follow each other; as many are active at a time as there are lanes, at most. */
export const LANES = 2;

const PAUSE_MS = [500, 4000] as const;
/**
 * The faults of a run, lane by lane: more than the time allows, in an order that depends on the seed alone. Each lane
 * goes through all kinds before it comes to one again, so that a short run has many of them.
 */
export function planChaos(seed: number, durationMs: number, world: ChaosWorld): PlannedFault[][] {
  const random = seededRandom(seed);
  const perLane = Math.ceil(durationMs / PAUSE_MS[0]);
  let id = 0;
  return Array.from({ length: LANES }, () => {
    const lane: PlannedFault[] = [];
    while (lane.length < perLane) {
      for (const name of shuffled(FAULT_NAMES, random)) {
        id += 1;
        lane.push(planFault(id, name, random, world));
      }
    }
    return lane;
  });
}

function planFault(
  id: number,
  name: FaultName,
  random: () => number,
  world: ChaosWorld,
): PlannedFault {
  const { on, holdMs } = faultKind(name);
  const pauseMs = between(random, ...PAUSE_MS);
  const held = between(random, ...holdMs);
  const choice = random();
  const provider = pick(world.providers, random);
  const service = pick(world.services, random);
  const target: FaultTarget =
    on === "consumer" ? {} : on === "provider" ? { provider } : { provider, service };
  return { id, name, pauseMs, holdMs: held, choice, ...target };
}

function pick(names: readonly string[], random: () => number): string {
  return names[between(random, 0, names.length - 1)] ?? "";
}

/**
 * Whether two faults may not be active together: those of one thing would tell nothing, and while an API server stands
 * still nobody can begin or end a fault of that provider.
 */
export function collide(one: NamedTarget, other: NamedTarget): boolean {
  if (one.provider !== other.provider) return false;
  if (one.provider === undefined || one.service === other.service) return true;
  return [one, other].some(({ name }) => name === "apiPaused" || name === "apiRestarted");
}

type NamedTarget = FaultTarget & Pick<PlannedFault, "name">;
