import type { Machine } from "../machine.ts";
import type { Summary } from "../statistics.ts";
import type { FaultsResult } from "./faults.ts";
import { FAULT_NAMES, type FaultName, MEASURED_FAULTS } from "./four-faults.ts";

/** What a client and an operator may count on; milliseconds. */
const GOALS = { refusedMs: 4000, allClosedMs: 10_000 };

/**
 * The figures as bench/results/faults.json holds them: by what was measured, then by fault. A time that the design
 * tolerates is taken off; where a mirror closed before that time was over the figure is 0 and `closedEarly` counts it.
 */
export function faultsRecord(machine: Machine, result: FaultsResult): object {
  const { mirrors, calledMirrors, apiStalenessSeconds, faults } = result;
  return {
    machine,
    mirrors,
    calledMirrors,
    apiStalenessSeconds,
    refusedMs: byFault((name) => notBelowZero(faults[name].refusedMs)),
    allClosedMs: byFault((name) => notBelowZero(faults[name].allClosedMs)),
    reopenMs: byFault((name) => faults[name].reopenMs),
    fromTheFaultMs: {
      apiLost: {
        refusedMs: later(faults.apiLost.refusedMs, apiStalenessSeconds),
        allClosedMs: later(faults.apiLost.allClosedMs, apiStalenessSeconds),
      },
    },
    attempts: byFault((name) => faults[name].attempts),
    closedEarly: byFault(
      (name) =>
        faults[name].runs.filter(
          ({ refusedMs, allClosedMs }) => Math.min(refusedMs, allClosedMs) < 0,
        ).length,
    ),
    runs: byFault((name) => faults[name].runs),
  };
}

/** The figures as Markdown, for docs/benchmarks.md. */
export function faultsReport(machine: Machine, result: FaultsResult): string {
  const { date, cpu, cores, memoryGib, kernel, node } = machine;
  const rows = MEASURED_FAULTS.map(({ name, what }) => {
    const { refusedMs, allClosedMs, reopenMs, attempts } = result.faults[name];
    const cells = [
      what,
      times(notBelowZero(refusedMs), GOALS.refusedMs),
      times(notBelowZero(allClosedMs), GOALS.allClosedMs),
      times(reopenMs),
      `${attempts.hung} / ${attempts.slow}`,
      refusedMs.runs,
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return `${[
    `Measured ${date} on ${cores} cores (${cpu}), ${memoryGib} GiB, Linux ${kernel}, Node ${node}; ${result.mirrors} mirrors, ${result.calledMirrors} of them called.`,
    "",
    "| fault | → refused, p50 / p99 ms | → all closed, p50 / p99 ms | end → all open again, p50 / p99 ms | attempts that hung / were slow | runs |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n")}\n`;
}

function byFault<T>(pick: (name: FaultName) => T): Record<string, T> {
  return Object.fromEntries(FAULT_NAMES.map((name) => [name, pick(name)]));
}

function notBelowZero({ p50, p99, runs }: Summary): Summary {
  return { p50: Math.max(0, p50), p99: Math.max(0, p99), runs };
}

function later({ p50, p99, runs }: Summary, seconds: number): Summary {
  return { p50: p50 + seconds * 1000, p99: p99 + seconds * 1000, runs };
}

function times({ p50, p99 }: Summary, goalMs = Number.POSITIVE_INFINITY): string {
  return `${Math.round(p50)} / ${Math.round(p99)}${p99 > goalMs ? ` (goal ${goalMs})` : ""}`;
}
