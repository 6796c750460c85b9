import type { Clock } from "../../../api/clock.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import type { Reporter } from "../reporter.ts";

/** What `link uninstall` is asked to do, and with what. */
export interface UninstallOptions {
  access: ClusterAccess;
  /** Ends the joins with other clusters instead of refusing. */
  force: boolean;
  /** Only says what would be removed. */
  dryRun: boolean;
  /** For all of it. */
  timeoutMs: number;
  reporter: Reporter;
  clock: Clock;
  signal: AbortSignal;
}
