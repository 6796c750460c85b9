import { mkdirSync, writeFileSync } from "node:fs";
import { randomInt } from "node:crypto";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { errorMessage } from "../api/errors.ts";
import { runOk } from "../test/bed/command.ts";
import { untilInterrupted } from "../test/system/interrupt.ts";
import * as chaos from "./chaos/chaos.ts";
import { chaosRecord, chaosReport, isPassed } from "./chaos/report.ts";
import { benchFailover } from "./failover/bench-failover.ts";
import * as faults from "./faults/faults.ts";
import { faultsRecord, faultsReport } from "./faults/report.ts";
import { readCaseGroups } from "./gateway/gateway.ts";
import { benchGateway } from "./gateway/bench-gateway.ts";
import { describeMachine } from "./machine.ts";
import { isPassed as isRolloutPassed, rolloutRecord, rolloutReport } from "./rollout/report.ts";
import * as rollout from "./rollout/rollout.ts";
import { smokeReport } from "./smoke/report.ts";
import * as smoke from "./smoke/smoke.ts";

const RESULTS_FOLDER = new URL("results/", import.meta.url);

const MAX_SEED = 2 ** 31;

const USAGE = `npm run bench -- smoke [--quick]
npm run bench -- faults [--quick]
npm run bench -- rollout [--quick]
npm run bench -- failover [--quick]
npm run bench -- chaos [--minutes N] [--seed S]
npm run bench -- gateway [--quick] [--only CASE,...] [--profile]
  smoke    export to first answer, gateway killed to refused, rate and latency through both gateways
  faults   four faults of a provider to the first refusal and to 200 mirrors closed, and the way back
  rollout  rolling restart of all gateways under load: requests that failed, streams cut early; exits 1 for any
  failover pods go and return under load, with standby endpoints and with active mode; exits 1 when a goal is missed
  chaos    random faults with recovery, two providers and a consumer, judged by an oracle; exits 1 when it fails
  gateway  what both gateways cost and carry, against the direct way and two HAProxy
  --quick  fewer runs: for a look, not for the record; for chaos: 2 minutes instead of 10
  --seed   number that repeats the order of faults; by default one drawn by chance, which is told
  --only   some of requests, connections, bulk, roundtrips, fairness, noisy, idle; nothing is recorded then
  --profile  the gateways write CPU profiles, into a folder that is told; nothing is recorded then`;

interface Outcome {
  /** What bench/results/NAME.json is to hold; nothing is written when absent. */
  readonly record: object | undefined;
  /** The same for people. */
  readonly report: string;
  /** Whether what was judged, if anything was, is as it should be. */
  readonly passed: boolean;
}

interface BenchContext {
  readonly quick: boolean;
  readonly minutes: number | undefined;
  readonly seed: number;
  readonly only: string | undefined;
  readonly profile: boolean;
  readonly signal: AbortSignal;
}

const BENCHES: Readonly<Record<string, (context: BenchContext) => Promise<Outcome>>> = {
  async smoke({ quick, signal }) {
    const plan = quick ? smoke.QUICK_PLAN : smoke.FULL_PLAN;
    const result = await smoke.measureSmoke(plan, say, signal);
    const machine = describeMachine(Date.now());
    return { record: { machine, ...result }, report: smokeReport(machine, result), passed: true };
  },
  async faults({ quick, signal }) {
    const plan = quick ? faults.QUICK_PLAN : faults.FULL_PLAN;
    const result = await faults.measureFaults(plan, say, signal);
    const machine = describeMachine(Date.now());
    return {
      record: faultsRecord(machine, result),
      report: faultsReport(machine, result),
      passed: true,
    };
  },
  async rollout({ quick, signal }) {
    const plan = quick ? rollout.QUICK_PLAN : rollout.FULL_PLAN;
    const outcomes = await rollout.measureRollouts(plan, say, signal);
    const machine = describeMachine(Date.now());
    return {
      record: rolloutRecord(machine, outcomes),
      report: rolloutReport(machine, outcomes),
      passed: isRolloutPassed(outcomes),
    };
  },
  async failover({ quick, signal }) {
    return await benchFailover({ quick, say, signal });
  },
  async chaos({ quick, minutes = quick ? 2 : 10, seed, signal }) {
    const result = await chaos.runChaos({ seed, durationMs: minutes * 60_000, say, signal });
    const machine = describeMachine(Date.now());
    return {
      record: chaosRecord(machine, result),
      report: chaosReport(machine, result),
      passed: isPassed(result),
    };
  },
  async gateway({ quick, only, profile, signal }) {
    const groups = only === undefined ? [] : readCaseGroups(only);
    return await benchGateway({ quick, only: groups, profile, say, signal });
  },
};

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: "boolean", default: false },
      minutes: { type: "string" },
      only: { type: "string" },
      profile: { type: "boolean", default: false },
      seed: { type: "string", default: String(randomInt(MAX_SEED)) },
    },
  });
  const [name = "", ...further] = positionals;
  const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
  const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
  const seed = Number(values.seed);
  const isUsable = Number.isSafeInteger(seed) && (minutes === undefined || minutes > 0);
  if (bench === undefined || further.length > 0 || !isUsable) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  const { signal } = untilInterrupted();
  const { quick, only, profile } = values;
  const context = { quick, minutes, seed, only, profile, signal };
  const { record, report, passed } = await bench(context);
  if (record !== undefined) {
    mkdirSync(RESULTS_FOLDER, { recursive: true });
    const path = new URL(`${name}.json`, RESULTS_FOLDER);
    writeFileSync(path, `${JSON.stringify(record, undefined, 2)}\n`);
    // As `npm run check` wants it.
    await runOk(["oxfmt", fileURLToPath(path)]);
  }
  process.stdout.write(report);
  return passed ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`bench failed: ${errorMessage(error)}\n`);
  process.exitCode = 1;
}
