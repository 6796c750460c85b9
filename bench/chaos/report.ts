import type { Machine } from "../machine.ts";
import type { ChaosResult } from "./chaos.ts";
import { faultKind, FAULT_NAMES } from "./fault-kinds.ts";

/** So many problems of one kind tell enough. */
const MAX_PROBLEMS = 50;

/** A run as bench/results/chaos.json holds it; times of faults in seconds since its start. */
export function chaosRecord(machine: Machine, result: ChaosResult): object {
  const { seed, durationMs, startMs, settledAfterMs, faults, attempts, memory, verdicts } = result;
  const since = (ms: number) => Math.round((ms - startMs) / 10) / 100;
  return {
    machine,
    seed,
    minutes: durationMs / 60_000,
    passed: isPassed(result),
    settledAfterMs,
    attempts,
    faults: { total: faults.length, byKind: countFaults(result) },
    detectionBoundsMs: Object.fromEntries(
      FAULT_NAMES.map((name) => [name, faultKind(name).detectionMs]),
    ),
    verdicts: verdicts.map(({ question, problems }) => ({
      question,
      passed: problems.length === 0,
      count: problems.length,
      problems: problems.slice(0, MAX_PROBLEMS),
    })),
    memory: memory.map(({ component, startMib, endMib, maxMib, slopeMibPerMinute }) => ({
      component,
      startMib: Math.round(startMib),
      endMib: Math.round(endMib),
      maxMib: Math.round(maxMib),
      slopeMibPerMinute: Math.round(slopeMibPerMinute * 100) / 100,
    })),
    schedule: faults.map(({ beganMs, endedMs, ...fault }) => ({
      ...fault,
      fromSecond: since(beganMs),
      toSecond: since(endedMs),
    })),
  };
}

/** The run for people: what happened, what came of it, and exactly what was wrong. */
export function chaosReport(machine: Machine, result: ChaosResult): string {
  const { seed, durationMs, settledAfterMs, faults, attempts, memory, verdicts } = result;
  const { total, answered, answeredLate, failed, failedFast, failures } = attempts;
  const kinds = Object.entries(countFaults(result)).map(([name, count]) => `${name} ${count}`);
  const ways = Object.entries(failures).map(([outcome, count]) => `${outcome} ${count}`);
  const settled =
    settledAfterMs === undefined ? "not in time" : `${(settledAfterMs / 1000).toFixed(1)} s`;
  return `${[
    `Chaos: ${durationMs / 60_000} minutes, seed ${seed}, ${machine.date}, ${machine.cores} cores (${machine.cpu}).`,
    `Faults: ${faults.length} (${kinds.join(", ")}).`,
    `Attempts: ${total}, answered ${answered} (${answeredLate} after more than a second), failed ${failed}, of these within a second ${failedFast} (${ways.join(", ")}).`,
    `As before after the last fault: ${settled}.`,
    "",
    "| memory, MiB | start | end | most | per minute |",
    "| --- | --- | --- | --- | --- |",
    ...memory.map(({ component, startMib, endMib, maxMib, slopeMibPerMinute }) => {
      const mibs = [startMib, endMib, maxMib].map(Math.round).join(" | ");
      return `| ${component} | ${mibs} | ${slopeMibPerMinute.toFixed(2)} |`;
    }),
    "",
    ...verdicts.flatMap(({ question, problems }) => [
      `${problems.length === 0 ? "passed" : "FAILED"}: ${question}${problems.length === 0 ? "" : ` (${problems.length})`}`,
      ...problems.slice(0, MAX_PROBLEMS).map((problem) => `    ${problem}`),
    ]),
  ].join("\n")}\n`;
}

/** Whether the oracle found nothing. */
export function isPassed({ verdicts }: ChaosResult): boolean {
  return verdicts.every(({ problems }) => problems.length === 0);
}

function countFaults({ faults }: ChaosResult): Record<string, number> {
  const byName = Map.groupBy(faults, ({ name }) => name);
  return Object.fromEntries([...byName].map(([name, each]) => [name, each.length]));
}
