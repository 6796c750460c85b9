import { setTimeout as sleep } from "node:timers/promises";
import { errorMessage } from "../../api/errors.ts";
import { BEGIN_FAULT } from "./faults/faults.ts";
import { alreadyOver, type FaultContext } from "./faults/fault-context.ts";
import { collide, type PlannedFault } from "./plan.ts";
import type { PastFault } from "./traffic-oracle.ts";

const LOOK_MS = 50;

interface LaneOptions {
  readonly context: FaultContext;
  /** No fault is begun after this time, in milliseconds since the epoch. */
  readonly untilMs: number;
  readonly say: (line: string) => void;
}

/** What became of the planned faults. */
export interface LanesResult {
  /** In the order they began. */
  readonly faults: readonly PastFault[];
  /** Faults that could not be begun, or whose end did not bring back in time what they had broken. */
  readonly problems: readonly string[];
}

/**
 * Runs lanes of faults beside each other until the time is over; every fault that was begun is ended.
 * @throws the signal's reason when it aborts.
 */
export async function runLanes(
  lanes: readonly (readonly PlannedFault[])[],
  options: LaneOptions,
): Promise<LanesResult> {
  const faults: PastFault[] = [];
  const problems: string[] = [];
  const active = new Set<PlannedFault>();
  const note = (what: string, error: unknown) => {
    const problem = `${what}: ${errorMessage(error)}`;
    problems.push(problem);
    options.say(problem);
  };
  const runLane = async (lane: readonly PlannedFault[]) => {
    const { signal } = options.context;
    for (const fault of lane) {
      await sleep(fault.pauseMs, undefined, { signal });
      const mayBegin = () => ![...active].some((other) => collide(fault, other));
      while (!mayBegin()) await sleep(LOOK_MS, undefined, { signal });
      if (Date.now() >= options.untilMs) return;
      active.add(fault);
      try {
        faults.push(await runFault(fault, options, note));
      } finally {
        active.delete(fault);
      }
    }
  };
  const results = await Promise.allSettled(lanes.map(runLane));
  options.context.signal.throwIfAborted();
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return { faults: faults.toSorted((one, other) => one.beganMs - other.beganMs), problems };
}

async function runFault(
  fault: PlannedFault,
  { context, say }: LaneOptions,
  note: (what: string, error: unknown) => void,
): Promise<PastFault> {
  const { id, name, provider, service, holdMs } = fault;
  const target = {
    ...(provider === undefined ? {} : { provider }),
    ...(service === undefined ? {} : { service }),
  };
  const what = describeFault(fault);
  const beganMs = Date.now();
  const end = await BEGIN_FAULT[name](context, fault).catch((error: unknown) => {
    note(`${what} could not be begun`, error);
    return alreadyOver;
  });
  say(`${what} begins`);
  try {
    await sleep(holdMs, undefined, { signal: context.signal });
  } finally {
    await end().catch((error: unknown) => note(`${what} could not be ended`, error));
  }
  const endedMs = Date.now();
  say(`${what} is over after ${((endedMs - beganMs) / 1000).toFixed(1)} s`);
  return { id, name, ...target, beganMs, endedMs };
}

/** Names a fault and what it acts on. */
export function describeFault({
  id,
  name,
  provider,
  service,
}: Pick<PlannedFault, "id" | "name" | "provider" | "service">): string {
  const target = [provider, service].filter(Boolean).join("/");
  return `#${id} ${name}${target === "" ? "" : ` of ${target}`}`;
}
