import {
  begunIn,
  failuresIn,
  longestGap,
  type RequestRecord,
} from "../../test/workload/request-record.ts";
import { type Summary, summarize } from "../statistics.ts";
import type { Kind, Mode } from "./kinds.ts";

/** When what was done in a run, milliseconds since the epoch. */
export interface RunTimes {
  /** The pods were told to end, or vanished. */
  readonly beganMs: number;
  /** No own pod was ready any more. */
  readonly fellMs: number;
  /** The pods were started again, or reachable again. */
  readonly returnedMs: number;
  /** Only own pods had answered for a while. */
  readonly endedMs: number;
}

/** What the clients saw of one removal and the return. */
export interface Run {
  readonly mode: Mode;
  readonly kind: Kind;
  /** From the begin until the return. */
  readonly requests: number;
  readonly failedRequests: number;
  readonly gapMs: number;
  /** From the begin until no own pod was ready: what the kubelet's probe takes. */
  readonly detectionMs: number;
  /** Longest time without an answer from then on. */
  readonly afterReadinessMs: number;
  readonly failedAfterReadiness: number;
  readonly returnFailedRequests: number;
  readonly returnGapMs: number;
  /** By code, of the whole run. */
  readonly failures: Readonly<Record<string, number>>;
}

/** All runs of one mode and kind. */
export interface Figures {
  readonly runs: number;
  readonly requests: number;
  readonly failedRequests: number;
  readonly gapMs: Summary;
  readonly detectionMs: Summary;
  readonly afterReadinessMs: Summary;
  readonly failedAfterReadiness: number;
  readonly returnFailedRequests: number;
  readonly returnGapMs: Summary;
}

/** Reads one run from the requests of its load. A request counts where it was begun, an answer when it came. */
export function judgeRun(
  of: { readonly mode: Mode; readonly kind: Kind },
  { beganMs, fellMs, returnedMs, endedMs }: RunTimes,
  records: readonly RequestRecord[],
): Run {
  const away = { fromMs: beganMs, toMs: returnedMs };
  const unready = { fromMs: fellMs, toMs: returnedMs };
  const back = { fromMs: returnedMs, toMs: endedMs };
  const failures = failuresIn(records, { fromMs: beganMs, toMs: endedMs });
  return {
    ...of,
    requests: begunIn(records, away).length,
    failedRequests: failuresIn(records, away).length,
    gapMs: longestGap(records, away).gapMs,
    detectionMs: fellMs - beganMs,
    afterReadinessMs: longestGap(records, unready).gapMs,
    failedAfterReadiness: failuresIn(records, unready).length,
    returnFailedRequests: failuresIn(records, back).length,
    returnGapMs: longestGap(records, back).gapMs,
    failures: countByCode(failures),
  };
}

/** @throws RangeError without runs. */
export function summarizeRuns(runs: readonly Run[]): Figures {
  const times = (field: "gapMs" | "detectionMs" | "afterReadinessMs" | "returnGapMs") =>
    summarize(runs.map((run) => run[field]));
  const total = (
    field: "requests" | "failedRequests" | "failedAfterReadiness" | "returnFailedRequests",
  ) => runs.reduce((sum, run) => sum + run[field], 0);
  return {
    runs: runs.length,
    requests: total("requests"),
    failedRequests: total("failedRequests"),
    gapMs: times("gapMs"),
    detectionMs: times("detectionMs"),
    afterReadinessMs: times("afterReadinessMs"),
    failedAfterReadiness: total("failedAfterReadiness"),
    returnFailedRequests: total("returnFailedRequests"),
    returnGapMs: times("returnGapMs"),
  };
}

function countByCode(failures: readonly RequestRecord[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { failure = "" } of failures) counts[failure] = (counts[failure] ?? 0) + 1;
  return counts;
}
