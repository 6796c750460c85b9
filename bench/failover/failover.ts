import { createNamespaces, startJoinedSystem } from "../../test/system/system.ts";
import type { Run } from "./judgement.ts";
import { type Kind, KINDS, type Mode, MODES } from "./kinds.ts";
import { Lane, NAMESPACE } from "./lane.ts";
import { Readiness } from "./readiness.ts";

/** How much is measured. */
export interface FailoverPlan {
  /** Of each mode and kind. */
  readonly runs: number;
}

export const FULL_PLAN: FailoverPlan = { runs: 50 };
export const QUICK_PLAN: FailoverPlan = { runs: 5 };

/** In different orders, so that the two lanes seldom do the same at the same time. */
const KINDS_IN_TURN: Readonly<Record<Mode, readonly Kind[]>> = {
  standby: KINDS,
  active: KINDS.toReversed(),
};

/**
 * Measures failover and return on a joined pair of clusters of its own: both modes beside each other all the time, each
 * with both kinds in turn, so that whatever the machine does meets all alike.
 */
export async function measureFailovers(
  plan: FailoverPlan,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<Run[]> {
  const system = await startJoinedSystem({ signal, onProgress: say });
  let readiness: Readiness | undefined;
  try {
    const east = system.member("east");
    await createNamespaces([system.member("west"), east], NAMESPACE);
    readiness = await Readiness.start(east.client, NAMESPACE);
    say(`starting ${MODES.length} loads`);
    const lanes: Lane[] = [];
    for (const mode of MODES) lanes.push(await Lane.start({ system, readiness, mode, signal }));
    const measured = await Promise.all(lanes.map((lane) => measureLane(lane, plan, say)));
    await Promise.all(lanes.map((lane) => lane.stop()));
    return measured.flat();
  } finally {
    await readiness?.stop();
    await system.down({ keepLogs: false });
  }
}

async function measureLane(
  lane: Lane,
  plan: FailoverPlan,
  say: (line: string) => void,
): Promise<Run[]> {
  const runs: Run[] = [];
  for (let round = 1; round <= plan.runs; round += 1) {
    for (const kind of KINDS_IN_TURN[lane.mode]) {
      const run = await lane.measure(kind);
      runs.push(run);
      say(`${lane.mode}, ${kind}, ${round} of ${plan.runs}: ${describe(run)}`);
    }
  }
  return runs;
}

function describe(run: Run): string {
  const { failedRequests, requests, gapMs, afterReadinessMs, returnFailedRequests, returnGapMs } =
    run;
  return `${failedRequests} of ${requests} failed, gap ${gapMs} ms, after readiness ${afterReadinessMs} ms; return ${returnFailedRequests} failed, gap ${returnGapMs} ms ${JSON.stringify(run.failures)}`;
}
