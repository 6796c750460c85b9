import { afterAll, afterEach, beforeAll, describe } from "vitest";
import { startJoinedSystem } from "../system/system.ts";
import { monitoringTests } from "./system/monitoring.ts";
import type { World } from "./system/world.ts";

let world: World | undefined;
let failed = false;

beforeAll(async () => {
  const system = await startJoinedSystem();
  world = { system, west: system.member("west"), east: system.member("east") };
});

afterEach(({ task }) => {
  failed ||= task.result?.state === "fail";
});

afterAll(async () => {
  const logs = await world?.system.down({ keepLogs: failed });
  if (logs !== undefined) process.stderr.write(`logs of every component: ${logs}\n`);
});

describe("Prometheus, with the component monitoring", () => {
  monitoringTests(() => {
    if (world === undefined) throw new Error("the system is up only while tests run");
    return world;
  });
});
