import { describeMachine } from "../machine.ts";
import { publish } from "../publish.ts";
import { FULL_PLAN, measureFailovers, QUICK_PLAN } from "./failover.ts";
import { drawFailovers } from "./figure.ts";
import { failoverRecord, failoverReport, goalsOf } from "./report.ts";

/** Runs the bench. Only a run that is not quick gets into docs/benchmarks.md. */
export async function benchFailover({
  quick,
  say,
  signal,
}: {
  readonly quick: boolean;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}) {
  const plan = quick ? QUICK_PLAN : FULL_PLAN;
  const runs = await measureFailovers(plan, say, signal);
  const machine = describeMachine(Date.now());
  const report = failoverReport(machine, plan, runs);
  if (!quick) {
    await publish("failover", {
      report,
      figure: drawFailovers(runs),
      // docs/figures/failover.svg is what the demo draws.
      figureName: "failover-bench",
      caption: "Longest time without an answer, of each run",
    });
  }
  return {
    record: failoverRecord(machine, plan, runs),
    report,
    passed: goalsOf(runs).every(({ met }) => met),
  };
}
