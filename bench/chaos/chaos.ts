import { errorMessage } from "../../api/errors.ts";
import { poll } from "../../test/bed/poll.ts";
import { MirrorWatch } from "../../test/system/mirror-watch.ts";
import { startCaller, type System } from "../../test/system/system.ts";
import type { Attempt, Caller } from "../../test/workload/caller.ts";
import {
  type AttemptCounts,
  countAttempts,
  licencesOf,
  trafficVerdicts,
  type Verdict,
} from "./judgement.ts";
import { writeDiagnostics } from "./diagnostics.ts";
import { CALL_TIMEOUT_MS } from "./fault-kinds.ts";
import { runLanes } from "./lanes.ts";
import { planChaos } from "./plan.ts";
import { PodBook } from "./pod-book.ts";
import { Sampler } from "./sampler.ts";
import {
  type Holdings,
  judgeBystanders,
  judgeHoldings,
  judgeListeners,
  judgeMemory,
  judgeMirrors,
  judgeTerminations,
  memoryTrends,
  type MemoryTrend,
} from "./state-oracle.ts";
import type { PastFault } from "./traffic-oracle.ts";
import {
  bystanders,
  CONSUMER,
  expectedMirrors,
  foundMirrors,
  membersOf,
  MIRRORS,
  NAMESPACE,
  startWorld,
  urlOf,
  WORLD,
} from "./world.ts";

/** A client per mirror calls this often. */
const PERIOD_MS = 200;
const READY_TIMEOUT_MS = 60_000;
/** How long everything may take to be as before once the last fault is over. */
const SETTLE_MS = 120_000;
/** Right answers in a row, of each mirror, after which the run may begin or end: five seconds of them. */
const STEADY = 25;

export interface ChaosOptions {
  readonly seed: number;
  /** For how long faults are begun. */
  readonly durationMs: number;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface ChaosResult {
  readonly seed: number;
  readonly durationMs: number;
  readonly startMs: number;
  /** From the end of the last fault until everything was as before; undefined when it was not in time. */
  readonly settledAfterMs: number | undefined;
  readonly faults: readonly PastFault[];
  readonly attempts: AttemptCounts;
  readonly memory: readonly MemoryTrend[];
  readonly verdicts: readonly Verdict[];
}

interface Parts {
  readonly system: System;
  readonly pods: PodBook;
  readonly watch: MirrorWatch;
  readonly caller: Caller;
}

/** Runs faults against two providers and a consumer of its own and judges what clients and clusters saw. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { say, signal } = options;
  const system = await startWorld({ onProgress: say, ...(signal === undefined ? {} : { signal }) });
  let pods: PodBook | undefined;
  let watch: MirrorWatch | undefined;
  let passed = false;
  try {
    pods = await PodBook.start(membersOf(system));
    watch = await MirrorWatch.start(system.member(CONSUMER).client);
    await watch.untilAll("open", MIRRORS.length, { timeoutMs: READY_TIMEOUT_MS });
    const caller = await startCaller(system, system.member(CONSUMER), {
      namespace: NAMESPACE,
      name: "caller",
      target: MIRRORS.map(urlOf),
      periodMs: PERIOD_MS,
      timeoutMs: CALL_TIMEOUT_MS,
      follow: false,
    });
    const result = await run({ system, pods, watch, caller }, options);
    passed = result.verdicts.every(({ problems }) => problems.length === 0);
    if (!passed) await writeDiagnostics(system, caller.attempts);
    return result;
  } finally {
    await Promise.all([pods?.stop(), watch?.stop()]);
    const logs = await system.down({ keepLogs: !passed && signal?.aborted !== true });
    if (logs !== undefined) say(`logs of every component: ${logs}`);
  }
}

async function run(parts: Parts, options: ChaosOptions): Promise<ChaosResult> {
  const { system, pods, caller } = parts;
  const { seed, durationMs, say } = options;
  await untilSteady(caller, READY_TIMEOUT_MS);
  const versionsBefore = await bystanders(system);
  const holdingsBefore = pods.holdings();
  const startMs = Date.now();
  const sampler = new Sampler(pods, caller);
  try {
    const { faults, unended, changed } = await runFaults(parts, options, startMs);
    const endedMs = Date.now();
    say("no further faults; waiting until all is as before");
    const { settledAfterMs, verdicts: settled } = await settle(parts, holdingsBefore, endedMs);
    await poll("the last attempts", () => collected(caller), { timeoutMs: READY_TIMEOUT_MS });
    const attempts = caller.attempts.filter(({ atMs }) => atMs >= startMs);
    const trends = memoryTrends(sampler.memory);
    const others = [...changed, ...judgeBystanders(versionsBefore, await bystanders(system))];
    const ended = judgeTerminations(pods.terminations, licencesOf(faults, CONSUMER));
    return {
      seed,
      durationMs,
      startMs,
      settledAfterMs,
      faults,
      attempts: countAttempts(attempts),
      memory: trends,
      verdicts: [
        ...trafficVerdicts(MIRRORS, attempts, faults, startMs),
        ...settled,
        { question: "every fault could be begun and ended", problems: unended },
        { question: "no object of others was changed", problems: others },
        { question: "memory stayed flat", problems: judgeMemory(trends) },
        { question: "no process ended by itself", problems: ended },
      ],
    };
  } finally {
    await sampler.stop();
  }
}

async function runFaults({ system, pods }: Parts, options: ChaosOptions, startMs: number) {
  const { seed, durationMs, say, signal = new AbortController().signal } = options;
  const changed: string[] = [];
  const { faults, problems } = await runLanes(planChaos(seed, durationMs, WORLD), {
    context: {
      system,
      consumer: system.member(CONSUMER),
      namespace: NAMESPACE,
      pods,
      report: (problem) => changed.push(problem),
      signal,
    },
    untilMs: startMs + durationMs,
    say: (line) => say(`${((Date.now() - startMs) / 1000).toFixed(1)} s: ${line}`),
  });
  return { faults, unended: problems, changed };
}

/** Waits until everything is as it was before the run; what is not by then is what is wrong. */
async function settle(parts: Parts, holdingsBefore: Map<string, Holdings>, endedMs: number) {
  let verdicts: Verdict[] = [];
  const look = async () => {
    verdicts = await stateVerdicts(parts, holdingsBefore);
    await untilSteady(parts.caller, 1);
    const first = verdicts.flatMap(({ problems }) => problems)[0];
    if (first === undefined) return Date.now() - endedMs;
    throw new Error(first);
  };
  const options = { timeoutMs: SETTLE_MS, intervalMs: 1000 };
  try {
    return { settledAfterMs: await poll("all is as before", look, options), verdicts };
  } catch (error) {
    const problems = [errorMessage(error)];
    const unsettled = { question: "all was as before in time", problems };
    return { settledAfterMs: undefined, verdicts: [...verdicts, unsettled] };
  }
}

async function stateVerdicts(
  { system, pods, watch }: Parts,
  holdingsBefore: Map<string, Holdings>,
): Promise<Verdict[]> {
  const found = await foundMirrors(system, (mirror) => watch.stateOf(mirror));
  return [
    {
      question: "there are exactly the mirrors of what is exported, all open",
      problems: judgeMirrors(await expectedMirrors(system), found),
    },
    {
      question: "gateways listen on the ports of open mirrors and on no others",
      problems: judgeListeners(found, pods.egressListeners(CONSUMER)),
    },
    {
      question: "no processes, sockets or descriptors leaked",
      problems: judgeHoldings(holdingsBefore, pods.holdings()),
    },
  ];
}

/** Waits until the last attempts at every mirror were all answered rightly. */
async function untilSteady(caller: Caller, timeoutMs: number): Promise<void> {
  await poll(
    "all mirrors answer",
    async () => {
      await caller.collect();
      const recent = caller.attempts.slice(-STEADY * MIRRORS.length);
      const wrong = recent.find((attempt) => !isRight(attempt));
      if (wrong !== undefined) throw new Error(JSON.stringify(wrong));
      return recent.length === STEADY * MIRRORS.length;
    },
    { timeoutMs, intervalMs: 500 },
  );
}

function isRight({ status, body, target = 0 }: Attempt): boolean {
  return status === 200 && body?.trim() === MIRRORS[target]?.answer;
}

async function collected(caller: Caller): Promise<true> {
  await caller.collect();
  return true;
}
