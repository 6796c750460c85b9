import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ProcessRecord, startProcess } from "./processes.ts";

/** Starts cloud.ts for a bed, in a process that lives as long as the bed. */
export function startCloud(bedFolder: string, bedId: string, logsFolder: string): ProcessRecord {
  return startProcess(bedFolder, {
    label: "cloud",
    argv: [process.execPath, fileURLToPath(new URL("cloud.ts", import.meta.url)), bedId],
    logPath: join(logsFolder, "cloud.log"),
  });
}
