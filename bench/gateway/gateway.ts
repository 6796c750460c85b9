import { CASE_GROUPS, type Case, type CaseGroup, standardCases } from "./cases.ts";
import { type Credentials, createCredentials } from "./credentials.ts";
import { startHaproxy } from "./haproxy.ts";
import { type IdleResult, measureIdle } from "./idle.ts";
import { type IsthmusSubject, bundleGateway, startIsthmus } from "./isthmus.ts";
import { buildLoadTool } from "./load-tool.ts";
import { Loads, type Values } from "./loads.ts";
import { noisyCase } from "./noisy.ts";
import { SERVER_PORTS, type Subject } from "./subject.ts";
import { World } from "./world.ts";

/** How much is measured. */
export interface GatewayPlan {
  readonly rounds: number;
  /** Of one load; a case may consist of two. */
  readonly seconds: Readonly<Record<Exclude<CaseGroup, "idle">, number>>;
  readonly idleConnections: number;
}

export const FULL_PLAN: GatewayPlan = {
  rounds: 5,
  seconds: { requests: 2, connections: 2, bulk: 2, roundtrips: 2, fairness: 2, noisy: 2 },
  idleConnections: 10_000,
};
export const QUICK_PLAN: GatewayPlan = {
  rounds: 2,
  seconds: { requests: 1, connections: 1, bulk: 1, roundtrips: 1, fairness: 1, noisy: 1 },
  idleConnections: 10_000,
};

/** Every raw measurement: by case, then by way, one for each round. */
export type Samples = Readonly<Record<string, Readonly<Record<string, readonly Values[]>>>>;

export interface GatewayResult {
  readonly plan: GatewayPlan;
  readonly samples: Samples;
  readonly idle: readonly IdleResult[];
}

export interface GatewayOptions {
  readonly plan: GatewayPlan;
  /** The cases to measure; all when empty. */
  readonly only: readonly CaseGroup[];
  /** Where the gateways write CPU profiles at their end; none are taken when absent. */
  readonly profileFolder: string | undefined;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** HAProxy needs two descriptors for each connection, and a process may have only so many. */
const HAPROXY_IDLE_CONNECTIONS = 4000;
const WARM_UP_SECONDS = 1;

/** Names of the ways from client to server. */
export const WAYS = {
  direct: "direct",
  haproxy: "haproxy",
  haproxyFullHandshakes: "haproxyFullHandshakes",
  isthmus: "isthmus",
} as const;

/**
 * Reads the argument of `--only`: names of cases with commas between.
 * @throws Error that lists the names there are.
 */
export function readCaseGroups(text: string): CaseGroup[] {
  return text.split(",").map((name) => {
    const group = CASE_GROUPS.find((known) => known === name);
    if (group === undefined) throw new Error(`"${name}" is no case: ${CASE_GROUPS.join(", ")}`);
    return group;
  });
}

/** Measures the ways from a client to a server: direct, through two HAProxy, and through two gateways. Needs root. */
export async function measureGateway(options: GatewayOptions): Promise<GatewayResult> {
  const tool = await buildLoadTool();
  const credentials = await createCredentials();
  const world = await World.create(options.signal);
  try {
    return await measureIn(world, credentials, tool, options);
  } finally {
    await world.down();
  }
}

async function measureIn(
  world: World,
  credentials: Credentials,
  tool: readonly string[],
  { plan, only, profileFolder, say }: GatewayOptions,
): Promise<GatewayResult> {
  const isChosen = (group: CaseGroup) => only.length === 0 || only.includes(group);
  const loads = new Loads(world, tool);
  const bundle = await bundleGateway(world.folder);
  let pairs = 0;
  const gateways = (name: string): Promise<IsthmusSubject> => {
    pairs += 1;
    return startIsthmus(world, credentials, { name, index: pairs, bundle, profileFolder });
  };
  startServer(world, tool);
  const haproxy = (name: string, index: number, resumes = true) =>
    startHaproxy(world, credentials, { name, index, resumes });
  const ways = {
    direct: directWay(world),
    haproxy: haproxy(WAYS.haproxy, 0),
    haproxyFullHandshakes: haproxy(WAYS.haproxyFullHandshakes, 1, false),
    isthmus: await gateways(WAYS.isthmus),
  };
  const untilOpen = async ({ name, target }: Subject) => {
    const check = [...tool, "check", target("echo")];
    await world.untilSucceeds(`a byte comes back: ${name}`, "client", check);
  };
  for (const way of Object.values(ways)) await untilOpen(way);
  let other: Promise<IsthmusSubject> | undefined;
  const cases = [
    ...standardCases(loads),
    noisyCase(world, loads, credentials, () => (other ??= gateways("noisy")), untilOpen),
  ].filter(({ group }) => isChosen(group));
  const waysOf = ({ group }: Case): Subject[] => {
    if (group === "noisy") return [ways.isthmus];
    const common = [ways.direct, ways.haproxy, ways.isthmus];
    return group === "connections" ? [...common, ways.haproxyFullHandshakes] : common;
  };
  const samples = await measureInRounds(cases, waysOf, plan, say);
  const idle: IdleResult[] = [];
  if (isChosen("idle")) {
    const measure = async (subject: Subject, connections: number) => {
      say(`idle: ${connections} connections by ${subject.name}`);
      await untilOpen(subject);
      idle.push(await measureIdle(world, loads, tool, subject, connections));
    };
    await measure({ ...(await gateways("idle")), name: WAYS.isthmus }, plan.idleConnections);
    await measure(
      { ...haproxy("haproxyIdle", 2), name: WAYS.haproxy },
      Math.min(HAPROXY_IDLE_CONNECTIONS, plan.idleConnections),
    );
  }
  return { plan, samples, idle };
}

async function measureInRounds(
  cases: readonly Case[],
  waysOf: (each: Case) => readonly Subject[],
  plan: GatewayPlan,
  say: (line: string) => void,
): Promise<Samples> {
  // What runs in a virtual machine is slow until it has been compiled. The others begin with a calm load of their own.
  for (const each of cases.filter(({ group }) => group !== "fairness" && group !== "noisy")) {
    const isthmus = waysOf(each).find(({ name }) => name === WAYS.isthmus);
    if (isthmus !== undefined) await each.measure(isthmus, WARM_UP_SECONDS);
  }
  const samples: Record<string, Record<string, Values[]>> = {};
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const each of cases) {
      const seconds = each.group === "idle" ? 0 : plan.seconds[each.group];
      for (const way of rotated(waysOf(each), round)) {
        const values = await each.measure(way, seconds);
        const byWay = (samples[each.id] ??= {});
        (byWay[way.name] ??= []).push(values);
        say(`round ${round + 1} of ${plan.rounds}: ${each.id}, ${way.name}: ${inWords(values)}`);
      }
    }
  }
  return samples;
}

/** So that none is always the one that comes after another. */
function rotated<T>(items: readonly T[], by: number): T[] {
  const first = by % Math.max(1, items.length);
  return [...items.slice(first), ...items.slice(0, first)];
}

function inWords(values: Values): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value.toPrecision(4)}`)
    .join(", ");
}

function directWay(world: World): Subject {
  const target: Subject["target"] = (service) =>
    `${world.address("server")}:${SERVER_PORTS[service]}`;
  return { name: WAYS.direct, target, hops: [] };
}

function startServer(world: World, tool: readonly string[]): void {
  const address = world.address("server");
  const { web, echo } = SERVER_PORTS;
  world.start("server", "server", [...tool, "serve", address, String(web), String(echo)]);
}
