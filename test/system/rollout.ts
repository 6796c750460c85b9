import type { Deployment, Pod } from "../../api/objects.ts";
import { GATEWAY_NAME, INSTALL_NAMESPACE, LABELS } from "../../api/names.ts";
import { RESOURCES } from "../../api/resources.ts";
import { poll } from "../bed/poll.ts";
import type { Load, LoadFailure, LoadReport, StreamEnd } from "../workload/load.ts";
import type { Member } from "./system.ts";

/** What a gateway gives streams from SIGTERM on, unless told otherwise. */
export const DRAIN_DEADLINE_MS = 25_000;
/** The clocks of timers are coarse. */
const EARLY_SLACK_MS = 500;
/** From when a pod's end was asked for, in whole seconds, until its process is told; and from the deadline until the client has heard. */
const LATE_SLACK_MS = 10_000;
const TIMEOUT_MS = 120_000;
const LOOK_MS = 100;

/** A gateway that was replaced. */
interface Drain {
  readonly pod: string;
  /** When its end was asked for, in milliseconds since the epoch; it may have been up to a second later. */
  readonly startedMs: number;
}

/** What clients saw of a rolling restart of the gateways. */
export interface RolloutOutcome {
  /** From the restart until the last of the old gateways was gone. */
  readonly durationMs: number;
  /** Requests over new connections while it went on. */
  readonly answered: number;
  /** Long streams that were open when it began. */
  readonly streamsBefore: number;
  /** Longest time between two answers over new connections. */
  readonly longestGapMs: number;
  /** When that was over, from the restart. */
  readonly longestGapAtMs: number;
  readonly failures: readonly LoadFailure[];
  /** Streams that a gateway at its deadline cut, with the time it had given them. */
  readonly cutAfterMs: readonly number[];
  /** Streams that ended in any other way. */
  readonly cutEarly: readonly StreamEnd[];
  readonly drains: readonly Drain[];
}

/** Restarts all gateways of these clusters at once, as `kubectl rollout restart` does, and tells what a load saw of it. */
export async function restartGateways(
  members: readonly Member[],
  load: Load,
): Promise<RolloutOutcome> {
  const restartedAt = new Date().toISOString();
  const annotations = { "kubectl.kubernetes.io/restartedAt": restartedAt };
  return await replaceGateways(members, load, async () => {
    for (const { client } of members) {
      await client.patch<Deployment>(
        RESOURCES.deployments,
        { namespace: INSTALL_NAMESPACE, name: GATEWAY_NAME },
        { spec: { template: { metadata: { annotations } } } },
        { type: "merge" },
      );
    }
  });
}

/** Does what replaces all gateways of these clusters, and tells what a load saw of it until the last old one was gone. */
export async function replaceGateways(
  members: readonly Member[],
  load: Load,
  replace: () => Promise<void>,
): Promise<RolloutOutcome> {
  const before = await load.report();
  const old = await Promise.all(
    members.map(async ({ client }) => ({ client, names: await gatewayNames(client) })),
  );
  const startMs = Date.now();
  const [drains] = await Promise.all([Promise.all(old.map(drainsOf)), replace()]);
  const durationMs = Date.now() - startMs;
  const after = await reportSince(load, Date.now());
  return judge(before, after, durationMs, drains.flat());
}

/** Waits until no gateway of these clusters is ending: what it still holds would end while others are watched. */
export async function untilNoneDrains(members: readonly Member[]): Promise<void> {
  const noneDrains = async () => {
    const pods = (await Promise.all(members.map(({ client }) => gatewayPods(client)))).flat();
    const draining = pods.filter(({ metadata }) => metadata.deletionTimestamp !== undefined);
    if (draining.length === 0) return true;
    throw new Error(`${draining.map(({ metadata }) => metadata.name).join(", ")} are ending`);
  };
  await poll("no gateway is ending", noneDrains, { timeoutMs: TIMEOUT_MS });
}

async function gatewayNames(client: Member["client"]): Promise<ReadonlySet<string>> {
  return new Set((await gatewayPods(client)).map(({ metadata }) => metadata.name));
}

/** Waits until these gateways are gone. */
async function drainsOf(old: {
  client: Member["client"];
  names: ReadonlySet<string>;
}): Promise<Drain[]> {
  const drains = new Map<string, Drain>();
  const allGone = async () => {
    const pods = await gatewayPods(old.client);
    const left = pods.filter(({ metadata }) => old.names.has(metadata.name));
    for (const { metadata } of left) {
      const {
        name,
        deletionTimestamp: endAt,
        deletionGracePeriodSeconds: graceSeconds = 0,
      } = metadata;
      if (endAt === undefined || drains.has(name)) continue;
      drains.set(name, { pod: name, startedMs: Date.parse(endAt) - graceSeconds * 1000 });
    }
    if (left.length === 0) return true;
    throw new Error(`${left.length} of ${old.names.size} old gateways are left`);
  };
  await poll("the old gateways are gone", allGone, { timeoutMs: TIMEOUT_MS, intervalMs: LOOK_MS });
  return [...drains.values()];
}

async function gatewayPods(client: Member["client"]): Promise<Pod[]> {
  const { items } = await client.list<Pod>(RESOURCES.pods, {
    namespace: INSTALL_NAMESPACE,
    labelSelector: `${LABELS.name}=${GATEWAY_NAME}`,
  });
  return items;
}

/** A report of a time at which whatever happened until `sinceMs` has been told. */
async function reportSince(load: Load, sinceMs: number): Promise<LoadReport> {
  const isLater = async () => {
    const report = await load.report();
    return report.counts.atMs > sinceMs + LOOK_MS && report;
  };
  return await poll("a later report of the load", isLater, { timeoutMs: TIMEOUT_MS });
}

function judge(
  before: LoadReport,
  after: LoadReport,
  durationMs: number,
  drains: readonly Drain[],
): RolloutOutcome {
  const startMs = before.counts.atMs;
  const ends = after.streamEnds.filter(({ endedMs }) => endedMs > startMs);
  const [longest] = after.gaps
    .filter(({ atMs }) => atMs > startMs)
    .toSorted((one, other) => other.gapMs - one.gapMs);
  const judged = ends.map((end) => ({ end, givenMs: givenBy(drains, end) }));
  return {
    durationMs,
    answered: after.counts.answered - before.counts.answered,
    streamsBefore: before.counts.openStreams,
    longestGapMs: longest?.gapMs ?? 0,
    longestGapAtMs: (longest?.atMs ?? startMs) - startMs,
    failures: after.failures.filter(({ atMs }) => atMs > startMs),
    cutAfterMs: judged.flatMap(({ givenMs }) => givenMs ?? []),
    cutEarly: judged.flatMap(({ end, givenMs }) => (givenMs === undefined ? end : [])),
    drains,
  };
}

/** How long a stream went on in the drain whose deadline it met; undefined when it met none's. */
function givenBy(drains: readonly Drain[], { isOpen, endedMs }: StreamEnd): number | undefined {
  if (!isOpen) return undefined;
  return drains
    .map(({ startedMs }) => endedMs - startedMs)
    .find(
      (givenMs) =>
        givenMs > DRAIN_DEADLINE_MS - EARLY_SLACK_MS && givenMs < DRAIN_DEADLINE_MS + LATE_SLACK_MS,
    );
}
