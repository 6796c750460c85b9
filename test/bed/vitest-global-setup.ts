import type { TestProject } from "vitest/node";
import type { Bed } from "./bed.ts";
import { localProvider } from "./local.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** For `attachBed`, when a test has to pause or kill a process of the bed. */
    readonly bedId: string;
    /** Administrator kubeconfigs of the clusters west, east and north: no nodes, only API servers and controllers. */
    readonly kubeconfigs: Readonly<Record<"west" | "east" | "north", string>>;
  }
}

const running: { bed?: Bed; project?: TestProject } = {};

/** Vitest's global set-up of the integration tests: one set of control planes for all of them. */
export async function setup(project: TestProject): Promise<void> {
  const clusters = ["west", "east", "north"] as const;
  const bed = await localProvider.up({ clusters: clusters.map((name) => ({ name, nodes: 0 })) });
  Object.assign(running, { bed, project });
  const path = (name: (typeof clusters)[number]) => bed.cluster(name).kubeconfigPath;
  project.provide("bedId", bed.id);
  project.provide("kubeconfigs", { west: path("west"), east: path("east"), north: path("north") });
}

/** Takes the control planes down; when a test has failed their logs are kept and named. */
export async function teardown(): Promise<void> {
  const keepLogs = (running.project?.vitest.state.getCountOfFailedTests() ?? 0) > 0;
  const kept = await running.bed?.down({ keepLogs });
  if (kept) console.error(`logs of the test bed's components: ${kept}`);
}
