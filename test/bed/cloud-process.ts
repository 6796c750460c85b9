import { join } from "node:path";
import { type ProcessRecord, startProcess } from "./processes.ts";

/** Starts cloud.ts for a bed, in a process that lives as long as the bed. */
export function startCloud(bedFolder: string, bedId: string, logsFolder: string): ProcessRecord {
  return startProcess(bedFolder, {
    label: "cloud",
    argv: [process.execPath, join(import.meta.dirname, "cloud.ts"), bedId],
    logPath: join(logsFolder, "cloud.log"),
  });
}
