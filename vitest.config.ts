import { defineConfig } from "vitest/config";
import { INTEGRATION_WORKERS } from "./test/bed/vitest-global-setup.ts";

const SECOND_MS = 1000;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          // Pure functions: a process for each of the files costs more than they do.
          isolate: false,
          include: [
            "{api,kube,pki,controller,gateway,cmd,bench}/**/*.test.ts",
            "test/{bed,setup,faults,demo,workload,docs,system,monitoring}/**/*.test.ts",
          ],
          testTimeout: 20 * SECOND_MS,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          globalSetup: ["test/bed/vitest-global-setup.ts"],
          testTimeout: 60 * SECOND_MS,
          hookTimeout: 60 * SECOND_MS,
          // These mostly wait; each worker has control planes of its own.
          maxWorkers: INTEGRATION_WORKERS,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 180 * SECOND_MS,
          hookTimeout: 300 * SECOND_MS,
          // One set of nodes at a time fits two cores.
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
    reporters: ["default"],
  },
});
