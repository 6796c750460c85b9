import { ANNOTATIONS } from "../../api/names.ts";
import { RESOURCES } from "../../api/resources.ts";
import {
  createNamespaces,
  startCaller,
  startJoinedSystem,
  type Member,
  type System,
} from "../../test/system/system.ts";
import {
  killGateway,
  scaleGateway,
  untilAnswered,
  untilRefused,
  untilSteady,
  untilUnresolved,
} from "../../test/system/journey.ts";
import type { Caller } from "../../test/workload/caller.ts";
import { applyObjects } from "../../test/workload/apply-objects.ts";
import { webServer } from "../../test/workload/web-server.ts";
import type { Service } from "../../api/objects.ts";
import { quantile, type Summary, summarize } from "../statistics.ts";
import { type LoadResult, runLoad } from "./load.ts";

const NAMESPACE = "shop";
const SERVICE = "web";
const MIRROR = "web-west";
/** Answers in a row after which a state counts as steady: two seconds of them. */
const STEADY = 200;

/** How much is measured. */
export interface SmokePlan {
  readonly exports: number;
  readonly kills: number;
  readonly rounds: number;
  readonly loadSeconds: number;
  /** Short: every connection leaves a port in TIME_WAIT for a minute, and a node has 64,000 of them. */
  readonly newConnectionSeconds: number;
  readonly connections: number;
}

export const FULL_PLAN: SmokePlan = {
  exports: 50,
  kills: 10,
  rounds: 5,
  loadSeconds: 5,
  newConnectionSeconds: 1,
  connections: 16,
};
export const QUICK_PLAN: SmokePlan = {
  exports: 10,
  kills: 2,
  rounds: 2,
  loadSeconds: 2,
  newConnectionSeconds: 1,
  connections: 16,
};

/** Through both gateways against straight to the Service, medians of paired rounds. */
export interface Comparison {
  readonly direct: LoadResult;
  readonly mirrored: LoadResult;
  /** Mirrored over direct, the median of the rounds. */
  readonly rateRatio: number;
  readonly addedP50Ms: number;
}

export interface SmokeResult {
  readonly exportToAnswerMs: Summary;
  readonly gatewayKilledToRefusedMs: Summary;
  readonly keepalive: Comparison;
  readonly newConnections: Comparison;
}

/** Measures the foundation's figures on a joined pair of clusters of its own. */
export async function measureSmoke(
  plan: SmokePlan,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<SmokeResult> {
  const system = await startJoinedSystem({ signal, onProgress: say });
  try {
    const west = system.member("west");
    const east = system.member("east");
    await createNamespaces([west, east], NAMESPACE);
    await applyObjects(
      west.client,
      webServer({ namespace: NAMESPACE, name: SERVICE, cluster: "west", image: system.image }),
    );
    const caller = await startCaller(system, east, {
      namespace: NAMESPACE,
      name: "caller",
      target: `http://${MIRROR}.${NAMESPACE}.svc.cluster.local/`,
      periodMs: 10,
    });
    const exports = await repeat("export to answer", plan.exports, say, () =>
      measureExport(west, caller),
    );
    await annotate(west, true);
    await untilAnswered(caller, "west", Date.now());
    const kills = await repeat("killed to refused", plan.kills, say, () =>
      measureKill(west, caller),
    );
    await caller.stop();
    return {
      exportToAnswerMs: summarize(exports),
      gatewayKilledToRefusedMs: summarize(kills),
      keepalive: await compare(system, plan, false, say),
      newConnections: await compare(system, plan, true, say),
    };
  } finally {
    await system.down({ keepLogs: false });
  }
}

async function annotate(west: Member, exported: boolean): Promise<void> {
  const annotations = { [ANNOTATIONS.export]: exported ? "true" : null };
  const key = { namespace: NAMESPACE, name: SERVICE };
  await west.client.patch(
    RESOURCES.services,
    key,
    { metadata: { annotations } },
    { type: "merge" },
  );
}

/** Takes a measurement in milliseconds a number of times, one after the other. */
async function repeat(
  what: string,
  runs: number,
  say: (line: string) => void,
  measureMs: () => Promise<number>,
): Promise<number[]> {
  const tookMs: number[] = [];
  for (let run = 1; run <= runs; run += 1) {
    const ms = await measureMs();
    tookMs.push(ms);
    say(`${what} ${run} of ${runs}: ${Math.round(ms)} ms`);
  }
  return tookMs;
}

async function measureExport(west: Member, caller: Caller): Promise<number> {
  const sinceMs = Date.now();
  await annotate(west, true);
  const { tookMs } = await untilAnswered(caller, "west", sinceMs);
  const endedMs = Date.now();
  await annotate(west, false);
  await untilUnresolved(caller, endedMs);
  return tookMs;
}

async function measureKill(west: Member, caller: Caller): Promise<number> {
  await untilSteady(caller, "west", STEADY);
  const killedAtMs = await killGateway(west);
  const { tookMs } = await untilRefused(caller, killedAtMs);
  await scaleGateway(west, 2);
  await untilAnswered(caller, "west", Date.now());
  return tookMs;
}

async function compare(
  system: System,
  plan: SmokePlan,
  newConnections: boolean,
  say: (line: string) => void,
): Promise<Comparison> {
  const urls = {
    direct: await serviceUrl(system.member("west"), SERVICE),
    mirrored: await serviceUrl(system.member("east"), MIRROR),
  };
  const load = (cluster: "west" | "east", url: string) => {
    const node = system.member(cluster).cluster.nodes[0];
    if (node === undefined) throw new Error(`cluster ${cluster} has no node`);
    return runLoad(node, {
      url,
      connections: plan.connections,
      seconds: newConnections ? plan.newConnectionSeconds : plan.loadSeconds,
      newConnections,
    });
  };
  const rounds: { direct: LoadResult; mirrored: LoadResult }[] = [];
  for (let round = 0; round < plan.rounds; round += 1) {
    const direct = await load("west", urls.direct);
    const mirrored = await load("east", urls.mirrored);
    rounds.push({ direct, mirrored });
    const kind = newConnections ? "new connections" : "keepalive";
    say(
      `${kind} ${round + 1} of ${plan.rounds}: ${Math.round(direct.requestsPerSecond)}/s direct, ${Math.round(mirrored.requestsPerSecond)}/s mirrored`,
    );
  }
  return {
    direct: median(rounds.map(({ direct }) => direct)),
    mirrored: median(rounds.map(({ mirrored }) => mirrored)),
    rateRatio: quantile(
      rounds.map(({ direct, mirrored }) => mirrored.requestsPerSecond / direct.requestsPerSecond),
      0.5,
    ),
    addedP50Ms: quantile(
      rounds.map(({ direct, mirrored }) => mirrored.p50Ms - direct.p50Ms),
      0.5,
    ),
  };
}

function median(results: readonly LoadResult[]): LoadResult {
  const of = (field: keyof LoadResult) =>
    quantile(
      results.map((result) => result[field]),
      0.5,
    );
  return { requestsPerSecond: of("requestsPerSecond"), p50Ms: of("p50Ms"), p99Ms: of("p99Ms") };
}

async function serviceUrl(member: Member, name: string): Promise<string> {
  const { spec } = await member.client.get<Service>(RESOURCES.services, {
    namespace: NAMESPACE,
    name,
  });
  return `http://${spec?.clusterIP ?? ""}/`;
}
