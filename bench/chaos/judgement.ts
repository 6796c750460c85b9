import type { Attempt } from "../../test/workload/caller.ts";
import { outcomeOf } from "../../test/workload/caller.ts";
import { FAST_MS } from "../refusal.ts";
import { faultKind } from "./fault-kinds.ts";
import { describeFault } from "./lanes.ts";
import type { Licence } from "./state-oracle.ts";
import {
  type CalledMirror,
  judgeTraffic,
  type PastFault,
  type Violation,
} from "./traffic-oracle.ts";

/** A question that the oracle answers: it is passed when there is nothing to say. */
export interface Verdict {
  readonly question: string;
  readonly problems: readonly string[];
}

const TRAFFIC_QUESTIONS: Readonly<Record<Violation["rule"], string>> = {
  wrongAnswer: "no request was answered by the wrong Service or cluster",
  notFast: "every failure outside of the detection bounds was fast",
  unexplained: "nothing failed without a fault of its own link",
};

/** The oracle's answers about the traffic of a run. */
export function trafficVerdicts(
  mirrors: readonly CalledMirror[],
  attempts: readonly Attempt[],
  faults: readonly PastFault[],
  startMs: number,
): Verdict[] {
  const violations = judgeTraffic({ mirrors, attempts, faults, kindOf: faultKind });
  return Object.entries(TRAFFIC_QUESTIONS).map(([rule, question]) => ({
    question,
    problems: violations
      .filter((violation) => violation.rule === rule)
      .map((violation) => describeViolation(violation, mirrors, startMs)),
  }));
}

function describeViolation(
  { attempt, faults }: Violation,
  mirrors: readonly CalledMirror[],
  startMs: number,
): string {
  const { provider = "?", service = "?" } = mirrors[attempt.target ?? 0] ?? {};
  const active = faults.map((fault) => {
    const from = seconds(fault.beganMs - startMs);
    return `${describeFault(fault)} from ${from} to ${seconds(fault.endedMs - startMs)}`;
  });
  return `at ${seconds(attempt.atMs - startMs)} ${provider}/${service}: ${outcomeOf(attempt)} after ${Math.round(attempt.tookMs)} ms; faults: ${active.join(", ") || "none"}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

/** What the attempts of a run amount to. */
export interface AttemptCounts {
  readonly total: number;
  readonly answered: number;
  /** Answers that took more than a second. */
  readonly answeredLate: number;
  readonly failed: number;
  /** Refused or reset within a second. */
  readonly failedFast: number;
  /** How many failed in each way. */
  readonly failures: Readonly<Record<string, number>>;
}

/** Counts attempts by what came of them. */
export function countAttempts(attempts: readonly Attempt[]): AttemptCounts {
  const failed = attempts.filter(({ status }) => status === undefined);
  const answered = attempts.filter(({ status }) => status !== undefined);
  const byOutcome = Object.entries(Object.groupBy(failed, outcomeOf));
  return {
    total: attempts.length,
    answered: answered.length,
    answeredLate: answered.filter(({ tookMs }) => tookMs > FAST_MS).length,
    failed: failed.length,
    failedFast: failed.filter(({ tookMs }) => tookMs <= FAST_MS).length,
    failures: Object.fromEntries(byOutcome.map(([outcome, each = []]) => [outcome, each.length])),
  };
}

/**
 * When containers may end with a failure: while a fault kills them, and where it takes the Lease from a controller,
 * which then ends itself, up to the fault's recovery.
 */
export function licencesOf(faults: readonly PastFault[], consumer: string): Licence[] {
  return faults.flatMap(({ name, provider = consumer, beganMs, endedMs }): Licence[] => {
    const { ends, recoveryMs } = faultKind(name);
    if (ends === undefined) return [];
    const toMs = ends.by === "kill" ? endedMs : endedMs + recoveryMs;
    return [{ cluster: provider, component: ends.component, fromMs: beganMs, toMs }];
  });
}
