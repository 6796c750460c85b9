import type { Machine } from "../machine.ts";
import type { Summary } from "../statistics.ts";
import type { Comparison, SmokeResult } from "./smoke.ts";

/** The figures as Markdown, for docs/benchmarks.md. */
export function smokeReport(machine: Machine, result: SmokeResult): string {
  const { date, cpu, cores, memoryGib, kernel, node } = machine;
  return `${[
    `Measured ${date} on ${cores} cores (${cpu}), ${memoryGib} GiB, Linux ${kernel}, Node ${node}.`,
    "",
    "| from → to | p50 | p99 | runs |",
    "| --- | --- | --- | --- |",
    timing("export annotation set → first answer in the other cluster", result.exportToAnswerMs),
    timing("gateway killed → client refused", result.gatewayKilledToRefusedMs),
    "",
    "| 16 clients | requests/s direct | requests/s mirrored | ratio | p50 direct | p50 mirrored | added p50 |",
    "| --- | --- | --- | --- | --- | --- | --- |",
    comparison("keepalive", result.keepalive),
    comparison("a connection for each request", result.newConnections),
  ].join("\n")}\n`;
}

function timing(name: string, { p50, p99, runs }: Summary): string {
  return `| ${name} | ${Math.round(p50)} ms | ${Math.round(p99)} ms | ${runs} |`;
}

function comparison(name: string, { direct, mirrored, rateRatio, addedP50Ms }: Comparison): string {
  const cells = [
    name,
    Math.round(direct.requestsPerSecond),
    Math.round(mirrored.requestsPerSecond),
    rateRatio.toFixed(2),
    `${direct.p50Ms.toFixed(2)} ms`,
    `${mirrored.p50Ms.toFixed(2)} ms`,
    `${addedP50Ms.toFixed(2)} ms`,
  ];
  return `| ${cells.join(" | ")} |`;
}
