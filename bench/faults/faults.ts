import { ANNOTATIONS } from "../../api/names.ts";
import type { KubeObject } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import { MirrorWatch } from "../../test/system/mirror-watch.ts";
import { createNamespaces, startJoinedSystem, type System } from "../../test/system/system.ts";
import { applyObjects } from "../../test/workload/apply-objects.ts";
import { webServer } from "../../test/workload/web-server.ts";
import { CalledMirrors } from "./called-mirrors.ts";
import { type Summary, summarize } from "../statistics.ts";
import {
  API_STALENESS_SECONDS,
  CONSUMER,
  type FaultName,
  MEASURED_FAULTS,
  NAMESPACE,
  type MeasuredFault,
  PROVIDER,
} from "./four-faults.ts";
import { isRefused } from "../refusal.ts";
import { judgeRefusal, type RefusalOutcome } from "./outcome.ts";

const MIRRORS = 200;
const CALLED_MIRRORS = 8;
const STATE_TIMEOUT_MS = 60_000;

/** How much is measured. */
export interface FaultsPlan {
  readonly runs: number;
}

export const FULL_PLAN: FaultsPlan = { runs: 5 };
export const QUICK_PLAN: FaultsPlan = { runs: 1 };

/** One fault, once; milliseconds from the fault, less what the design tolerates. */
interface Run extends Pick<RefusalOutcome, "hung" | "slow" | "answeredAfterRefusal"> {
  readonly refusedMs: number;
  readonly firstRefusedMs: number;
  readonly allClosedMs: number;
  /** From the end of the fault (for revoked credentials: the begin of `link join`) until all were open again. */
  readonly reopenMs: number;
}

/** All runs of one fault. */
export interface FaultFigures {
  readonly refusedMs: Summary;
  readonly firstRefusedMs: Summary;
  readonly allClosedMs: Summary;
  readonly reopenMs: Summary;
  readonly attempts: Pick<RefusalOutcome, "hung" | "slow" | "answeredAfterRefusal">;
  readonly runs: readonly Run[];
}

export interface FaultsResult {
  readonly mirrors: number;
  readonly calledMirrors: number;
  readonly apiStalenessSeconds: number;
  readonly faults: Readonly<Record<FaultName, FaultFigures>>;
}

/** Measures how fast each fault closes 200 mirrors, on the wire and as objects, on a joined pair of clusters. */
export async function measureFaults(
  plan: FaultsPlan,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<FaultsResult> {
  const system = await startJoinedSystem({ signal, onProgress: say });
  let watch: MirrorWatch | undefined;
  try {
    say(`exporting ${MIRRORS} Services`);
    await exportServices(system);
    watch = await MirrorWatch.start(system.member(CONSUMER).client);
    await watch.untilAll("open", MIRRORS, { timeoutMs: STATE_TIMEOUT_MS, signal });
    const called = await CalledMirrors.start(
      system,
      Array.from({ length: CALLED_MIRRORS }, (_, index) =>
        urlOf(Math.floor((index * MIRRORS) / CALLED_MIRRORS)),
      ),
    );
    const runs = new Map<FaultName, Run[]>();
    for (let round = 1; round <= plan.runs; round += 1) {
      for (const fault of MEASURED_FAULTS) {
        signal.throwIfAborted();
        const run = await measureFault(fault, system, watch, called);
        runs.set(fault.name, [...(runs.get(fault.name) ?? []), run]);
        say(`${fault.name} ${round} of ${plan.runs}: ${describeRun(run)}`);
      }
    }
    await called.stop();
    const figures = (name: FaultName) => summarizeRuns(runs.get(name) ?? []);
    return {
      mirrors: MIRRORS,
      calledMirrors: CALLED_MIRRORS,
      apiStalenessSeconds: API_STALENESS_SECONDS,
      faults: {
        gatewayKilled: figures("gatewayKilled"),
        gatewayBlackholed: figures("gatewayBlackholed"),
        apiLost: figures("apiLost"),
        credentialRevoked: figures("credentialRevoked"),
      },
    };
  } finally {
    await watch?.stop();
    await system.down({ keepLogs: false });
  }
}

async function exportServices(system: System): Promise<void> {
  const west = system.member(PROVIDER);
  await createNamespaces([west, system.member(CONSUMER)], NAMESPACE);
  const { image } = system;
  await applyObjects(
    west.client,
    webServer({ namespace: NAMESPACE, name: "web", cluster: PROVIDER, image, replicas: 2 }),
  );
  const services = Array.from({ length: MIRRORS }, (_, index): KubeObject & { spec: unknown } => ({
    metadata: {
      namespace: NAMESPACE,
      name: serviceName(index),
      annotations: { [ANNOTATIONS.export]: "true" },
    },
    spec: { selector: { app: "web" }, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
  }));
  for (const service of services) await west.client.create(RESOURCES.services, service);
}

function urlOf(index: number): string {
  return `http://${serviceName(index)}-${PROVIDER}.${NAMESPACE}.svc.cluster.local/`;
}

function serviceName(index: number): string {
  return `web-${String(index + 1).padStart(3, "0")}`;
}

async function measureFault(
  fault: MeasuredFault,
  system: System,
  watch: MirrorWatch,
  called: CalledMirrors,
): Promise<Run> {
  await called.untilSteady("all called mirrors answer", ({ status }) => status === 200);
  const begun = await fault.begin(system);
  const { beganMs } = begun;
  let endedMs: number;
  let closedAtMs: number;
  try {
    closedAtMs = await watch.untilAll("closed", MIRRORS, { timeoutMs: STATE_TIMEOUT_MS });
    await called.untilSteady("all called mirrors refuse", isRefused);
  } finally {
    endedMs = Date.now();
    await begun.end();
  }
  const openAtMs = await watch.untilAll("open", MIRRORS, { timeoutMs: STATE_TIMEOUT_MS });
  // An attempt begun in the fault may still be on its way; a mirror that answers again has told of all before.
  await called.untilSteady("all called mirrors answer again", ({ status }) => status === 200);
  const outcome = judgeRefusal(called.attemptsSince(beganMs - STATE_TIMEOUT_MS), {
    beganMs,
    endedMs,
  });
  const { refusedMs, firstRefusedMs, hung, slow, answeredAfterRefusal } = outcome;
  if (refusedMs === undefined || firstRefusedMs === undefined)
    throw new Error(`${fault.name}: not all called mirrors refused`);
  return {
    refusedMs: refusedMs - fault.toleratedMs,
    firstRefusedMs: firstRefusedMs - fault.toleratedMs,
    allClosedMs: closedAtMs - beganMs - fault.toleratedMs,
    reopenMs: openAtMs - endedMs,
    hung,
    slow,
    answeredAfterRefusal,
  };
}

function describeRun({ refusedMs, allClosedMs, reopenMs, hung, slow }: Run): string {
  const ms = [refusedMs, allClosedMs, reopenMs].map(Math.round);
  return `refused after ${ms[0]} ms, all closed after ${ms[1]} ms, all open again after ${ms[2]} ms; ${hung} hung, ${slow} slow`;
}

function summarizeRuns(runs: readonly Run[]): FaultFigures {
  const of = (field: "refusedMs" | "firstRefusedMs" | "allClosedMs" | "reopenMs") =>
    summarize(runs.map((run) => run[field]));
  const sum = (field: "hung" | "slow" | "answeredAfterRefusal") =>
    runs.reduce((total, run) => total + run[field], 0);
  return {
    refusedMs: of("refusedMs"),
    firstRefusedMs: of("firstRefusedMs"),
    allClosedMs: of("allClosedMs"),
    reopenMs: of("reopenMs"),
    attempts: {
      hung: sum("hung"),
      slow: sum("slow"),
      answeredAfterRefusal: sum("answeredAfterRefusal"),
    },
    runs,
  };
}
