import type { Machine } from "../machine.ts";
import type { Summary } from "../statistics.ts";
import type { FailoverPlan } from "./failover.ts";
import { type Figures, type Run, summarizeRuns } from "./judgement.ts";
import { type Kind, KINDS, type Mode, MODES } from "./kinds.ts";
import { ACTIVE, DRAIN_MS, RATE, REQUEST_TIMEOUT_MS } from "./lane.ts";

/** kube-proxy syncs at most once a second by default; the rest is what the sync and the first answer take. */
const AFTER_READINESS_GOAL_MS = 1500;

const WHAT: Readonly<Record<Kind, string>> = {
  graceful: "pods told to end",
  crash: "pod's address blackholed",
};

type Matrix<T> = Readonly<Record<Mode, Readonly<Record<Kind, T>>>>;

/** A time of active mode over that of standby, and failed requests likewise; null where standby had none. */
interface Ratios {
  readonly failedRequests: number | null;
  readonly gapMs: Pick<Summary, "p50" | "p99">;
  readonly afterReadinessMs: Pick<Summary, "p50" | "p99">;
  readonly returnGapMs: Pick<Summary, "p50" | "p99">;
}

/** What standby is to reach. */
interface Goal {
  readonly name: string;
  readonly value: number;
  readonly atMost: number;
  readonly met: boolean;
}

/** The goals that the issue sets, with what was measured. */
export function goalsOf(runs: readonly Run[]): Goal[] {
  const { standby } = figuresOf(runs);
  const { graceful, crash } = standby;
  return [
    goal("graceful: failed requests, failover", graceful.failedRequests, 0),
    goal("graceful: failed requests, return", graceful.returnFailedRequests, 0),
    goal(
      "graceful: ms without an answer after readiness fell, p99",
      graceful.afterReadinessMs.p99,
      AFTER_READINESS_GOAL_MS,
    ),
    goal(
      "crash: ms without an answer after readiness fell, p99",
      crash.afterReadinessMs.p99,
      AFTER_READINESS_GOAL_MS,
    ),
  ];
}

function goal(name: string, value: number, atMost: number): Goal {
  return { name, value, atMost, met: value <= atMost };
}

/** The figures as bench/results/failover.json holds them. @throws RangeError when a mode and kind has no runs. */
export function failoverRecord(
  machine: Machine,
  { runs }: FailoverPlan,
  samples: readonly Run[],
): object {
  const figures = figuresOf(samples);
  return {
    machine,
    runs,
    requestsPerSecond: RATE,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    drainMs: DRAIN_MS,
    activeMode: ACTIVE,
    ...figures,
    activeToStandby: {
      graceful: ratiosOf(figures, "graceful"),
      crash: ratiosOf(figures, "crash"),
    },
    goals: goalsOf(samples),
    samples,
  };
}

/** The figures as Markdown, for docs/benchmarks.md. @throws RangeError when a mode and kind has no runs. */
export function failoverReport(
  machine: Machine,
  plan: FailoverPlan,
  samples: readonly Run[],
): string {
  const { date, cpu, cores, memoryGib, kernel, node } = machine;
  const figures = figuresOf(samples);
  const parts = [
    `Measured ${date} on ${cores} cores (${cpu}), ${memoryGib} GiB, Linux ${kernel}, Node ${node}; ${plan.runs} runs each, ${RATE} requests a second to each of ${MODES.length} Services at once.`,
    table(
      ["goal of standby", "measured", "bound", "met"],
      goalsOf(samples).map(({ name, value, atMost, met }) => [
        name,
        String(Math.round(value)),
        `≤ ${atMost}`,
        met ? "yes" : "**no**",
      ]),
    ),
    table(
      [
        "p50 / p99",
        "requests failed",
        "without an answer",
        "until readiness fell",
        "without an answer after it fell",
        "failed after it fell",
        "return: requests failed",
        "return: without an answer",
      ],
      KINDS.flatMap((kind) => [
        ...MODES.map((mode) => figuresRow(`${WHAT[kind]}, ${mode}`, figures[mode][kind])),
        ratiosRow("active / standby", ratiosOf(figures, kind)),
      ]),
    ),
  ];
  return `${parts.join("\n\n")}\n`;
}

function figuresOf(samples: readonly Run[]): Matrix<Figures> {
  const of = (mode: Mode, kind: Kind) =>
    summarizeRuns(samples.filter((run) => run.mode === mode && run.kind === kind));
  const ofMode = (mode: Mode) => ({ graceful: of(mode, "graceful"), crash: of(mode, "crash") });
  return { standby: ofMode("standby"), active: ofMode("active") };
}

function ratiosOf({ standby, active }: Matrix<Figures>, kind: Kind): Ratios {
  const [one, other] = [active[kind], standby[kind]];
  const times = (field: "gapMs" | "afterReadinessMs" | "returnGapMs") => ({
    p50: rounded(one[field].p50 / other[field].p50),
    p99: rounded(one[field].p99 / other[field].p99),
  });
  return {
    failedRequests:
      other.failedRequests === 0 ? null : rounded(one.failedRequests / other.failedRequests),
    gapMs: times("gapMs"),
    afterReadinessMs: times("afterReadinessMs"),
    returnGapMs: times("returnGapMs"),
  };
}

function ms({ p50, p99 }: Summary): string {
  return `${Math.round(p50)} / ${Math.round(p99)} ms`;
}

function both({ p50, p99 }: Pick<Summary, "p50" | "p99">): string {
  return `${p50} / ${p99}`;
}

function figuresRow(name: string, figures: Figures): string[] {
  return [
    name,
    `${figures.failedRequests} of ${figures.requests}`,
    ms(figures.gapMs),
    ms(figures.detectionMs),
    ms(figures.afterReadinessMs),
    String(figures.failedAfterReadiness),
    String(figures.returnFailedRequests),
    ms(figures.returnGapMs),
  ];
}

function ratiosRow(name: string, ratios: Ratios): string[] {
  return [
    `_${name}_`,
    String(ratios.failedRequests ?? "–"),
    both(ratios.gapMs),
    "",
    both(ratios.afterReadinessMs),
    "",
    "",
    both(ratios.returnGapMs),
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function rounded(ratio: number): number {
  return Number(ratio.toPrecision(3));
}
