import { setTimeout as sleep } from "node:timers/promises";
import type { Loads, Values } from "./loads.ts";
import { cpuSecondsOf, rssBytesOf } from "./process-cost.ts";
import type { Subject } from "./subject.ts";

/** What `--only` chooses from. */
export const CASE_GROUPS = [
  "requests",
  "connections",
  "bulk",
  "roundtrips",
  "fairness",
  "noisy",
  "idle",
] as const;
export type CaseGroup = (typeof CASE_GROUPS)[number];

/** One thing to measure, in rounds, on each way from client to server. */
export interface Case {
  readonly id: string;
  readonly group: CaseGroup;
  measure(subject: Subject, seconds: number): Promise<Values>;
}

const NEW_CONNECTIONS_AT_A_TIME = 32;
/** A TCP connection's windows have opened by then. */
const BULK_LEAD_MS = 300;

const CONNECTION_COUNTS = [1, 32, 256] as const;
export const BULK_KINDS = [
  { id: "bulk-1-up", streams: 1, down: false },
  { id: "bulk-1-down", streams: 1, down: true },
  { id: "bulk-4-up", streams: 4, down: false },
  { id: "bulk-4-down", streams: 4, down: true },
] as const;

/** With bulk as fast as it goes everything also waits for a CPU; paced bulk shows what sharing the path alone costs. */
const FAIRNESS_KINDS = [
  { id: "fairness" },
  { id: "fairness-paced", megabitsPerStream: 80 },
] as const;

/** All that is measured in rounds on every way. */
export function standardCases(loads: Loads): Case[] {
  return [
    ...CONNECTION_COUNTS.map((connections): Case => ({
      id: `requests-${connections}`,
      group: "requests",
      measure: (subject, seconds) =>
        withCost(subject, "requests", () =>
          loads.requests(subject.target("web"), { connections, seconds }),
        ),
    })),
    {
      id: "connections",
      group: "connections",
      measure: (subject, seconds) =>
        withCost(subject, "requests", () =>
          loads.requests(subject.target("web"), {
            connections: NEW_CONNECTIONS_AT_A_TIME,
            seconds,
            newConnections: true,
          }),
        ),
    },
    ...BULK_KINDS.map(({ id, streams, down }): Case => ({
      id,
      group: "bulk",
      measure: (subject, seconds) =>
        withCost(subject, "bytes", () =>
          loads.bulk(subject.target("bulk"), { streams, seconds, down }),
        ),
    })),
    {
      id: "roundtrips",
      group: "roundtrips",
      measure: (subject, seconds) =>
        withCost(subject, "count", () => loads.roundTrips(subject.target("echo"), { seconds })),
    },
    ...FAIRNESS_KINDS.map(({ id, ...pace }): Case => ({
      id,
      group: "fairness",
      measure: (subject, seconds) => measureFairness(loads, subject, { seconds, ...pace }),
    })),
  ];
}

/**
 * Adds what both hops spent meanwhile: CPU seconds, also per unit (`perUnit` names the count of units), and their
 * resident memory afterwards. The direct way has no hops, and spends nothing.
 */
async function withCost(
  { hops }: Subject,
  perUnit: string,
  load: () => Promise<Values>,
): Promise<Values> {
  const cpu = () => hops.map(({ pid }) => cpuSecondsOf([pid]));
  const before = cpu();
  const values = await load();
  const [first = 0, second = 0] = cpu().map((seconds, hop) => seconds - (before[hop] ?? 0));
  if (hops.length === 0) return values;
  const [firstRss = 0, secondRss = 0] = hops.map(({ pid }) => rssBytesOf([pid]) / 2 ** 20);
  return {
    ...values,
    cpuSecondsHop1: first,
    cpuSecondsHop2: second,
    cpuSecondsPerUnit: (first + second) / (values[perUnit] ?? Number.NaN),
    rssMibHop1: firstRss,
    rssMibHop2: secondRss,
  };
}

/** A small request, one at a time, on an idle path and beside four streams of bulk. */
async function measureFairness(
  loads: Loads,
  subject: Subject,
  { seconds, ...pace }: { seconds: number; megabitsPerStream?: number },
): Promise<Values> {
  const small = () => loads.requests(subject.target("web"), { connections: 1, seconds });
  const calm = await small();
  const bulk = loads.bulk(subject.target("bulk"), {
    ...pace,
    streams: 4,
    seconds: seconds + 1,
    down: false,
  });
  // Looked at below; a failure of the other one must not leave it unheard.
  bulk.catch(() => undefined);
  await sleep(BULK_LEAD_MS);
  const busy = await small();
  const { megabytesPerSecond = 0 } = await bulk;
  return { ...calmAndBusy(calm, busy), megabytesPerSecond };
}

/** Latencies of the same requests without and with a disturbance, and their ratio. */
export function calmAndBusy(calm: Values, busy: Values): Values {
  const { p50Ms: calmP50Ms = 0, p99Ms: calmP99Ms = 0 } = calm;
  const { p50Ms: busyP50Ms = 0, p99Ms: busyP99Ms = 0 } = busy;
  const { requestsPerSecond: calmPerSecond = 0 } = calm;
  const { requestsPerSecond: busyPerSecond = 0 } = busy;
  return {
    calmP50Ms,
    calmP99Ms,
    busyP50Ms,
    busyP99Ms,
    p50Ratio: busyP50Ms / calmP50Ms,
    p99Ratio: busyP99Ms / calmP99Ms,
    calmPerSecond,
    busyPerSecond,
    // One request that waits for long hardly shows in the quantiles, but here.
    rateRatio: busyPerSecond / calmPerSecond,
  };
}
