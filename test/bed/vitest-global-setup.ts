import type { TestProject } from "vitest/node";
import type { Bed } from "./bed.ts";
import { localProvider } from "./local.ts";

const CLUSTERS = ["west", "east", "north"] as const;

/** Test files that run at the same time; 2 cores carry no more. */
export const INTEGRATION_WORKERS = 2;

declare module "vitest" {
  interface ProvidedContext {
    /**
     * Administrator kubeconfigs of the clusters west, east and north, a set for each worker by its pool id: no nodes,
     * only API servers and controllers.
     */
    readonly kubeconfigs: readonly Readonly<Record<(typeof CLUSTERS)[number], string>>[];
  }
}

const running: { beds: Bed[]; project?: TestProject } = { beds: [] };

/** Vitest's global set-up of the integration tests: one set of control planes for each worker. */
export async function setup(project: TestProject): Promise<void> {
  running.project = project;
  for (let worker = 0; worker < INTEGRATION_WORKERS; worker += 1) {
    running.beds.push(
      await localProvider.up({ clusters: CLUSTERS.map((name) => ({ name, nodes: 0 })) }),
    );
  }
  project.provide(
    "kubeconfigs",
    running.beds.map((bed) => {
      const path = (name: (typeof CLUSTERS)[number]) => bed.cluster(name).kubeconfigPath;
      return { west: path("west"), east: path("east"), north: path("north") };
    }),
  );
}

/** Takes the control planes down; when a test has failed their logs are kept and named. */
export async function teardown(): Promise<void> {
  const keepLogs = (running.project?.vitest.state.getCountOfFailedTests() ?? 0) > 0;
  const kept = await Promise.all(running.beds.map(async (bed) => await bed.down({ keepLogs })));
  for (const logs of kept) {
    if (logs !== undefined) console.error(`logs of the test bed's components: ${logs}`);
  }
}
