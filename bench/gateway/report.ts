import type { Machine } from "../machine.ts";
import { type GatewayResult, WAYS } from "./gateway.ts";
import type { Values } from "./loads.ts";
import { type Goal, goalsOf, mediansOf, pairedRatio, ratiosOf } from "./results.ts";

/** What bench/results/gateway.json holds. */
export function gatewayRecord(machine: Machine, result: GatewayResult): object {
  const { plan, samples, idle } = result;
  return {
    machine,
    plan,
    ...ratiosOf(samples),
    goals: goalsOf(result),
    idle,
    medians: mediansOf(samples),
    samples,
  };
}

/** One row for each case, in the figure and in the tables. */
export interface Row {
  readonly id: string;
  readonly label: string;
  /** Of the throughput, and what CPU is told per. */
  readonly unit: string;
  readonly figure: string;
  /** What the throughput is divided by for people. */
  readonly scale: number;
  readonly cpuUnit: string;
  readonly cpuScale: number;
}

const MICROS = 1e-6;
const PER_SECOND = { unit: "/s", scale: 1, cpuScale: MICROS, cpuUnit: "µs" } as const;
const BULK = {
  unit: " GB/s",
  figure: "megabytesPerSecond",
  scale: 1000,
  cpuUnit: "s/GB",
  cpuScale: 1e-9,
} as const;

export const ROWS: readonly Row[] = [
  { id: "connections", label: "new connections", figure: "requestsPerSecond", ...PER_SECOND },
  { id: "requests-1", label: "requests, 1 connection", figure: "requestsPerSecond", ...PER_SECOND },
  {
    id: "requests-32",
    label: "requests, 32 connections",
    figure: "requestsPerSecond",
    ...PER_SECOND,
  },
  {
    id: "requests-256",
    label: "requests, 256 connections",
    figure: "requestsPerSecond",
    ...PER_SECOND,
  },
  { id: "roundtrips", label: "one-byte round trips", figure: "perSecond", ...PER_SECOND },
  { id: "bulk-1-up", label: "bulk, 1 stream up", ...BULK },
  { id: "bulk-1-down", label: "bulk, 1 stream down", ...BULK },
  { id: "bulk-4-up", label: "bulk, 4 streams up", ...BULK },
  { id: "bulk-4-down", label: "bulk, 4 streams down", ...BULK },
];

/** The figures as Markdown, for docs/benchmarks.md. */
export function gatewayReport(machine: Machine, result: GatewayResult): string {
  const { date, cpu, cores, memoryGib, kernel, node } = machine;
  const parts = [
    `Measured ${date} on ${cores} cores (${cpu}), ${memoryGib} GiB, Linux ${kernel}, Node ${node}; medians of ${result.plan.rounds} rounds.`,
    goalsTable(goalsOf(result)),
    throughputTable(result),
    latencyTable(result),
    disturbanceTable(result),
    idleTable(result),
  ];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function goalsTable(goals: readonly Goal[]): string {
  return table(
    ["goal", "measured", "bound", "met"],
    goals.map(({ name, value, bound, direction, met }) => [
      name,
      significant(value),
      `${direction === "atMost" ? "≤" : "≥"} ${bound}`,
      met ? "yes" : "**no**",
    ]),
  );
}

function throughputTable({ samples }: GatewayResult): string {
  const medians = mediansOf(samples);
  const head = ["", "direct", "HAProxy", "Isthmus", "CPU, HAProxy", "CPU, Isthmus", "CPU ratio"];
  const rows = ROWS.filter(({ id }) => samples[id] !== undefined).map((row) => {
    const of = (way: string): Values => medians[row.id]?.[way] ?? {};
    const rate = (way: string) =>
      `${significant((of(way)[row.figure] ?? Number.NaN) / row.scale)}${row.unit}`;
    const cpu = (way: string) =>
      `${significant((of(way)["cpuSecondsPerUnit"] ?? Number.NaN) / row.cpuScale)} ${row.cpuUnit}`;
    return [
      row.label,
      rate(WAYS.direct),
      rate(WAYS.haproxy),
      rate(WAYS.isthmus),
      cpu(WAYS.haproxy),
      cpu(WAYS.isthmus),
      significant(
        pairedRatio(samples, {
          id: row.id,
          figure: "cpuSecondsPerUnit",
          way: WAYS.isthmus,
          to: WAYS.haproxy,
        }),
      ),
    ];
  });
  return table(head, rows);
}

function latencyTable({ samples }: GatewayResult): string {
  const medians = mediansOf(samples);
  const rows = ROWS.filter(({ id }) => medians[id]?.[WAYS.isthmus]?.["p50Ms"] !== undefined).map(
    ({ id, label }) => {
      const latency = (way: string) => {
        const { p50Ms, p99Ms } = medians[id]?.[way] ?? {};
        return `${significant(p50Ms)} / ${significant(p99Ms)} ms`;
      };
      return [label, latency(WAYS.direct), latency(WAYS.haproxy), latency(WAYS.isthmus)];
    },
  );
  return table(["p50 / p99", "direct", "HAProxy", "Isthmus"], rows);
}

function disturbanceTable({ samples }: GatewayResult): string {
  const medians = mediansOf(samples);
  const cases = [
    { id: "fairness", what: "small request beside 4 bulk streams" },
    { id: "fairness-paced", what: "the same, bulk paced at 40 MB/s" },
    { id: "noisy", what: "request beside a flooding peer" },
  ];
  const rows = cases.flatMap(({ id, what }) =>
    Object.entries(medians[id] ?? {}).map(([way, values]) => [
      `${what}, ${way}`,
      `${significant(values["calmP50Ms"])} / ${significant(values["calmP99Ms"])} ms`,
      `${significant(values["busyP50Ms"])} / ${significant(values["busyP99Ms"])} ms`,
      `${significant(values["p50Ratio"])} / ${significant(values["p99Ratio"])}`,
      significant(values["rateRatio"]),
      String(values["errors"] ?? 0),
    ]),
  );
  return table(["p50 / p99", "calm", "beside it", "ratio", "ratio of requests/s", "errors"], rows);
}

function idleTable({ idle }: GatewayResult): string {
  const rows = idle.map((each) => [
    each.subject,
    String(each.connections),
    each.rssMibBefore.map(significant).join(" + "),
    each.rssMibAfter.map(significant).join(" + "),
    each.kibPerConnection.map(significant).join(" + "),
    significant(each.kibPerConnectionTogether),
    `${each.answered} of ${each.asked}`,
  ]);
  const head = [
    "idle connections",
    "open",
    "MiB before",
    "MiB with them",
    "KiB per connection",
    "together",
    "answered afterwards",
  ];
  return table(head, rows);
}

/** Empty without rows. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return "";
  const lines = [head, head.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** Three significant digits, without an exponent. */
function significant(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return "–";
  if (Math.abs(value) >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}
