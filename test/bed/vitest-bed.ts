import { afterAll, afterEach, beforeAll } from "vitest";
import type { Bed, BedOptions } from "./bed.ts";
import { localProvider } from "./local.ts";

const upTimeoutMs = 180_000;
const downTimeoutMs = 60_000;

/**
 * Brings up a bed before the tests of the file (or of the describe block) and takes it down after them. When one has
 * failed, the logs of all components are kept and named. Returns the way to get at the bed inside of a test.
 */
export function useBed(options: () => Promise<BedOptions> | BedOptions): () => Bed {
  let bed: Bed | undefined;
  let failed = false;
  beforeAll(async () => {
    bed = await localProvider.up(await options());
  }, upTimeoutMs);
  afterEach(({ task }) => {
    failed ||= task.result?.state === "fail";
  });
  afterAll(async () => {
    const kept = await bed?.down({ keepLogs: failed });
    if (kept) console.error(`logs of the test bed's components: ${kept}`);
  }, downTimeoutMs);
  return () => {
    if (!bed) throw new Error("the bed is up only while tests run");
    return bed;
  };
}
