import type { Clock } from "../../../api/clock.ts";
import { lookUp } from "../check/fact.ts";
import { runChecks } from "../check/check.ts";
import { formatChecks } from "../check/check-table.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { readFailovers } from "../failover/failover.ts";
import { readGateways } from "../gateways/gateways.ts";
import { formatGateways } from "../gateways/gateways-table.ts";
import { silentReporter } from "../reporter.ts";
import { readServices } from "../services/services.ts";
import { formatServices } from "../services/services-table.ts";
import { readStatus } from "../status/status.ts";
import { formatStatus } from "../status/status-table.ts";

export interface ViewsOptions {
  clock: Clock;
  signal: AbortSignal;
  keep: (path: string, content: string) => void;
  miss: (what: string, why: string) => void;
}

const VIEW_TIMEOUT_MS = 30_000;

/** Keeps what `link status`, `services`, `gateways`, `failover` and `check` show, for people and for programs. */
export async function gatherViews(access: ClusterAccess, options: ViewsOptions): Promise<void> {
  const { clock, signal, keep, miss } = options;
  const nowMs = clock.nowMs();
  const view = async <T extends object>(
    name: string,
    read: (signal: AbortSignal) => Promise<T>,
    toTable?: (report: T) => string,
  ) => {
    const fact = await lookUp(signal, read, VIEW_TIMEOUT_MS);
    if ("unknown" in fact) {
      miss(`link ${name}`, fact.unknown);
      return;
    }
    keep(`views/${name}.json`, `${JSON.stringify(fact.value, null, 2)}\n`);
    if (toTable !== undefined) keep(`views/${name}.txt`, toTable(fact.value));
  };
  await Promise.all([
    view(
      "status",
      async (limited) => readStatus({ access, signal: limited }),
      (report) => formatStatus(report, nowMs, false),
    ),
    view(
      "services",
      async (limited) => readServices({ access, signal: limited }),
      (report) => formatServices(report, { nowMs, useColor: false }),
    ),
    view(
      "gateways",
      async (limited) => readGateways({ access, signal: limited }),
      (report) => formatGateways(report, nowMs, false),
    ),
    view("failover", async (limited) => readFailovers({ access, signal: limited })),
    view(
      "check",
      async (limited) =>
        runChecks({
          access,
          linkNames: [],
          // Nothing is written while gathering, not even a pod.
          probe: false,
          timeoutMs: VIEW_TIMEOUT_MS,
          reporter: silentReporter,
          clock,
          signal: limited,
        }),
      (report) => formatChecks(report, false),
    ),
  ]);
}
