import { RESOURCES } from "../../api/resources.ts";
import { ANNOTATIONS } from "../../api/names.ts";
import { poll } from "../../test/bed/poll.ts";
import { type RolloutOutcome, restartGateways } from "../../test/system/rollout.ts";
import { createNamespaces, LOAD, startJoinedSystem, startLoad } from "../../test/system/system.ts";
import { applyObjects } from "../../test/workload/apply-objects.ts";
import type { Load } from "../../test/workload/load.ts";
import { webServer } from "../../test/workload/web-server.ts";

const NAMESPACE = "shop";
const SETTLE_TIMEOUT_MS = 60_000;

/** How much is measured. */
export interface RolloutPlan {
  readonly runs: number;
}

export const FULL_PLAN: RolloutPlan = { runs: 3 };
export const QUICK_PLAN: RolloutPlan = { runs: 1 };

/** Restarts the gateways of both clusters under load, and tells what the load's clients saw of each time. */
export async function measureRollouts(
  plan: RolloutPlan,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<RolloutOutcome[]> {
  const system = await startJoinedSystem({ signal, onProgress: say });
  try {
    const west = system.member("west");
    const east = system.member("east");
    await createNamespaces([west, east], NAMESPACE);
    const name = "web";
    await applyObjects(
      west.client,
      webServer({ namespace: NAMESPACE, name, cluster: "west", image: system.image }),
    );
    await west.client.patch(
      RESOURCES.services,
      { namespace: NAMESPACE, name },
      { metadata: { annotations: { [ANNOTATIONS.export]: "true" } } },
      { type: "merge" },
    );
    say("starting the load");
    const host = `web-west.${NAMESPACE}.svc`;
    const load = await startLoad(system, east, { namespace: NAMESPACE, host });
    const outcomes: RolloutOutcome[] = [];
    for (let run = 1; run <= plan.runs; run += 1) {
      await untilAllStreamsOpen(load, signal);
      const outcome = await restartGateways([west, east], load);
      outcomes.push(outcome);
      say(`rollout ${run} of ${plan.runs}: ${describe(outcome)}`);
    }
    return outcomes;
  } finally {
    await system.down({ keepLogs: false });
  }
}

async function untilAllStreamsOpen(load: Load, signal: AbortSignal): Promise<void> {
  await poll(
    `${LOAD.streams} streams are open`,
    async () => (await load.report()).counts.openStreams === LOAD.streams,
    { timeoutMs: SETTLE_TIMEOUT_MS, intervalMs: 500, signal },
  );
}

function describe({ failures, answered, longestGapMs, cutEarly, cutAfterMs }: RolloutOutcome) {
  return `${failures.length} of ${answered + failures.length} requests failed, longest gap ${longestGapMs} ms; ${cutEarly.length} streams cut early, ${cutAfterMs.length} at the deadline`;
}
