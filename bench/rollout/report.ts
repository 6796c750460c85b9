import { DRAIN_DEADLINE_MS, type RolloutOutcome } from "../../test/system/rollout.ts";
import type { Machine } from "../machine.ts";

/** Whether no request failed and no stream was cut before its deadline. */
export function isPassed(outcomes: readonly RolloutOutcome[]): boolean {
  return outcomes.every(({ failures, cutEarly }) => failures.length + cutEarly.length === 0);
}

/** The figures as bench/results/rollout.json holds them. */
export function rolloutRecord(machine: Machine, outcomes: readonly RolloutOutcome[]): object {
  return {
    machine,
    drainDeadlineMs: DRAIN_DEADLINE_MS,
    failedRequests: sum(outcomes.map(({ failures }) => failures.length)),
    streamsCutEarly: sum(outcomes.map(({ cutEarly }) => cutEarly.length)),
    longestGapMs: Math.max(...outcomes.map(({ longestGapMs }) => longestGapMs)),
    runs: outcomes.map(({ cutAfterMs, ...outcome }) => ({
      ...outcome,
      cutAtDeadline: cutAfterMs.length,
      shortestCutAfterMs: cutAfterMs.length === 0 ? null : Math.min(...cutAfterMs),
    })),
  };
}

/** The figures as Markdown, for docs/benchmarks.md. */
export function rolloutReport(machine: Machine, outcomes: readonly RolloutOutcome[]): string {
  const { date, cpu, cores, memoryGib, kernel, node } = machine;
  const rows = outcomes.map((outcome, index) => {
    const { failures, answered, longestGapMs, cutEarly, cutAfterMs, durationMs } = outcome;
    const shortest = cutAfterMs.length === 0 ? "–" : seconds(Math.min(...cutAfterMs));
    const cells = [
      index + 1,
      `${failures.length} / ${answered + failures.length}`,
      `${longestGapMs} ms`,
      cutEarly.length,
      `${cutAfterMs.length} (${shortest})`,
      seconds(durationMs),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return `${[
    `Measured ${date} on ${cores} cores (${cpu}), ${memoryGib} GiB, Linux ${kernel}, Node ${node}; 2 + 2 gateways, deadline ${seconds(DRAIN_DEADLINE_MS)}.`,
    "",
    "| run | requests failed | longest gap | streams cut early | cut at the deadline (shortest) | old gateways gone after |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n")}\n`;
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
