import { afterAll, beforeAll, onTestFinished, expect } from "vitest";
import { eventually } from "../fixtures.ts";
import { useWorld, type World } from "../link/clusters.ts";
import { type AuditEntry, readAudit, writesOf } from "./audit-log.ts";
import { BusyLink } from "./busy-link.ts";
import { LONG_LEASE, type LeaseTimes, type Replica, Replicas } from "./replica.ts";

/** Two clusters with a link that was Ready a moment ago, and no controller running. */
export interface Linked {
  readonly world: World;
  readonly replicas: Replicas;
  readonly link: BusyLink;
}

/** Brings the clusters up for the tests of this file. */
export function useLinked(): () => Linked {
  const world = useWorld();
  const replicas = new Replicas(world);
  let link: BusyLink | undefined;
  beforeAll(async () => {
    await replicas.prepare();
    const first = await replicas.start("controller-0", LONG_LEASE);
    try {
      await replicas.untilLeads();
      link = await BusyLink.create(world());
      await link.untilMirrored();
    } finally {
      await first.end("SIGTERM");
    }
  }, 240_000);
  afterAll(async () => {
    link?.close();
    await replicas.cleanUp();
  });
  return () => {
    if (link === undefined) throw new Error("the link is there only while tests run");
    return { world: world(), replicas, link };
  };
}

/** Two replicas under steady work. */
export interface Pair {
  readonly leader: Replica;
  readonly standby: Replica;
  readonly stopChanges: () => Promise<void>;
}

/** @param netns network namespace of the replica that leads first */
export async function startPair(linked: Linked, lease?: LeaseTimes, netns?: string): Promise<Pair> {
  const { replicas, link } = linked;
  await replicas.forgetLease();
  const leader = await replicas.startForTest("controller-0", lease, netns);
  await replicas.untilLeads();
  const standby = await replicas.startForTest("controller-1", lease);
  const stopChanges = link.keepChanging();
  onTestFinished(stopChanges);
  return { leader, standby, stopChanges };
}

/** What the consumer's API server has answered to replicas, after what is in `before`. */
export function auditAfter({ world }: Linked, before: readonly AuditEntry[] = []): AuditEntry[] {
  const since = before.at(-1)?.answeredAt ?? "";
  return readAudit(world.consumer.auditLogPath ?? "").filter(
    ({ receivedAt }) => receivedAt > since,
  );
}

/** Waits until a replica has written some more. */
export async function untilWrites(linked: Linked, pod: string, count = 20): Promise<void> {
  const before = auditAfter(linked);
  await eventually(
    () => expect(writesOf(auditAfter(linked, before), pod).length).toBeGreaterThanOrEqual(count),
    { describe: `${pod} writes`, timeoutMs: 60_000 },
  );
}
