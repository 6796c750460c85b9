import { quantile } from "../statistics.ts";
import { BULK_KINDS } from "./cases.ts";
import { type GatewayResult, type Samples, WAYS } from "./gateway.ts";
import type { Values } from "./loads.ts";

/** What the gateway is to reach, and what it did. */
export interface Goal {
  readonly name: string;
  readonly value: number;
  readonly bound: number;
  readonly direction: "atMost" | "atLeast";
  readonly met: boolean;
}

/** Of the direct way's throughput, what a way with two hops reaches. */
interface ToDirect {
  /** Of one stream up or down, the worse. */
  readonly stream: number | undefined;
  readonly requestResponse: number | undefined;
}

/** Ratios of gateways to HAProxy, and of both to the direct way; those whose case was not measured are missing. */
export interface Ratios {
  readonly ratios: {
    readonly cpuPerNewConnection: number | undefined;
    readonly cpuPerRequest: number | undefined;
    /** Of one or four streams, up or down, the worst. */
    readonly bulkBytesPerCpuSecond: number | undefined;
    readonly latencyP50At32: number | undefined;
  };
  readonly toDirect: ToDirect;
  readonly haproxyToDirect: ToDirect;
}

/** The median of each figure over the rounds, by case and way. */
export function mediansOf(samples: Samples): Record<string, Record<string, Values>> {
  return mapValues(samples, (byWay) => mapValues(byWay, medianOf));
}

/** Of each figure the median. */
function medianOf(rounds: readonly Values[]): Values {
  return mapValues(rounds[0] ?? {}, (_value, name) =>
    quantile(
      rounds.map((round) => round[name] ?? Number.NaN),
      0.5,
    ),
  );
}

/**
 * The ratio of a figure on one way to that on another, the median of the rounds: those of one round were taken within
 * seconds of each other, on a machine whose speed changes by the minute. Undefined when it was not measured.
 */
export function pairedRatio(
  samples: Samples,
  { id, figure, way, to }: { id: string; figure: string; way: string; to: string },
): number | undefined {
  const over = samples[id]?.[way] ?? [];
  const under = samples[id]?.[to] ?? [];
  const ratios = over.map(
    (values, round) => (values[figure] ?? Number.NaN) / (under[round]?.[figure] ?? Number.NaN),
  );
  return ratios.length === 0 ? undefined : quantile(ratios, 0.5);
}

export function ratiosOf(samples: Samples): Ratios {
  const { isthmus, haproxy } = WAYS;
  const cpu = (id: string) =>
    pairedRatio(samples, { id, figure: "cpuSecondsPerUnit", way: isthmus, to: haproxy });
  const bytesPerCpu = BULK_KINDS.map(({ id }) =>
    pairedRatio(samples, { id, figure: "cpuSecondsPerUnit", way: haproxy, to: isthmus }),
  );
  return {
    ratios: {
      cpuPerNewConnection: cpu("connections"),
      cpuPerRequest: cpu("requests-32"),
      bulkBytesPerCpuSecond: least(bytesPerCpu),
      latencyP50At32: pairedRatio(samples, {
        id: "requests-32",
        figure: "p50Ms",
        way: isthmus,
        to: haproxy,
      }),
    },
    toDirect: toDirectOf(samples, isthmus),
    haproxyToDirect: toDirectOf(samples, haproxy),
  };
}

function toDirectOf(samples: Samples, way: string): ToDirect {
  const ratio = (id: string, figure: string) =>
    pairedRatio(samples, { id, figure, way, to: WAYS.direct });
  return {
    stream: least(["bulk-1-up", "bulk-1-down"].map((id) => ratio(id, "megabytesPerSecond"))),
    requestResponse: ratio("roundtrips", "perSecond"),
  };
}

/** The goals of whatever was measured. */
export function goalsOf({ samples, idle }: GatewayResult): Goal[] {
  const { ratios, toDirect } = ratiosOf(samples);
  const own = idle.find(({ subject }) => subject === WAYS.isthmus);
  const fairness = samples["fairness"]?.[WAYS.isthmus];
  const goals = [
    atMost("CPU per new connection, to HAProxy", ratios.cpuPerNewConnection, 0.25),
    atMost("CPU per keepalive request at 32 connections, to HAProxy", ratios.cpuPerRequest, 1),
    atLeast(
      "bulk bytes per CPU-second, to HAProxy (worst of four kinds)",
      ratios.bulkBytesPerCpuSecond,
      0.8,
    ),
    atMost("p50 latency at 32 connections, to HAProxy", ratios.latencyP50At32, 1),
    atLeast("throughput of one stream, to direct (worse direction)", toDirect.stream, 0.7),
    atLeast("one-byte round trips, to direct", toDirect.requestResponse, 0.35),
    atMost("KiB per idle connection, both gateways", own?.kibPerConnectionTogether, 30),
    atMost(
      "p99 of a small request beside 4 bulk streams, to unloaded",
      fairness && medianOf(fairness)["p99Ratio"],
      5,
    ),
  ];
  return goals.filter((goal) => goal !== undefined);
}

function atMost(name: string, value: number | undefined, bound: number): Goal | undefined {
  if (value === undefined) return undefined;
  return { name, value, bound, direction: "atMost", met: value <= bound };
}

function atLeast(name: string, value: number | undefined, bound: number): Goal | undefined {
  if (value === undefined) return undefined;
  return { name, value, bound, direction: "atLeast", met: value >= bound };
}

function least(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

function mapValues<In, Out>(
  record: Readonly<Record<string, In>>,
  change: (value: In, name: string) => Out,
): Record<string, Out> {
  return Object.fromEntries(
    Object.entries(record).map(([name, value]) => [name, change(value, name)]),
  );
}
