import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { getLink } from "../link/link-world.ts";
import { pauseBefore, strayWrites, terms, writesOf } from "./audit-log.ts";
import { auditAfter, startPair, untilWrites, useLinked } from "./linked.ts";
import { LONG_LEASE, SHORT_LEASE } from "./replica.ts";
import { makeReplicaNetwork } from "./replica-network.ts";

const linked = useLinked();

// Most of it is waiting for Leases to run out, several times in one test.
vi.setConfig({ testTimeout: 180_000 });

/** How often a leader is stopped, each time at another moment. */
const STOPS = 3;

test("when the leader is killed the standby begins after the last write of the dead, and everything ends as it should", async () => {
  const before = auditAfter(linked());
  const { leader, standby, stopChanges } = await startPair(linked());
  await untilWrites(linked(), leader.name);
  await leader.end("SIGKILL");
  expect(await linked().replicas.untilLeads(leader.name)).toBe(standby.name);
  await untilWrites(linked(), standby.name);
  await stopChanges();
  await linked().link.untilMirrored();
  const entries = auditAfter(linked(), before);
  expect(terms(entries).slice(-2)).toEqual([leader.name, standby.name]);
  expect(pauseBefore(entries, standby.name)).toBeGreaterThanOrEqual(SHORT_LEASE.durationMs - 1);
  expect(strayWrites(entries)).toEqual([]);
});

test("a leader that is told to end finishes its writes, then hands over at once", async () => {
  const before = auditAfter(linked());
  const { leader, standby, stopChanges } = await startPair(linked(), LONG_LEASE);
  await untilWrites(linked(), leader.name);
  // The Lease would outlast this test by far: only one that was released can be taken.
  expect(await leader.end("SIGTERM")).toEqual({ code: 0, signal: null });
  expect(await linked().replicas.untilLeads(leader.name)).toBe(standby.name);
  await untilWrites(linked(), standby.name);
  await stopChanges();
  await linked().link.untilMirrored();
  const entries = auditAfter(linked(), before);
  expect(terms(entries).slice(-2)).toEqual([leader.name, standby.name]);
  expect(strayWrites(entries)).toEqual([]);
});

test("a leader that was stopped for longer than its Lease writes nothing when it goes on, whenever it was stopped", async () => {
  const { replicas } = linked();
  const before = auditAfter(linked());
  let { leader, standby, stopChanges } = await startPair(linked());
  for (let round = 0; round < STOPS; round += 1) {
    await untilWrites(linked(), leader.name, 5);
    // At any moment: between two writes, with one half sent, with answers unread.
    await sleep(randomInt(500));
    leader.signal("SIGSTOP");
    expect(await replicas.untilLeads(leader.name)).toBe(standby.name);
    await untilWrites(linked(), standby.name, 5);
    const ended = leader.exit();
    leader.signal("SIGCONT");
    expect(await ended).toEqual({ code: 1, signal: null });
    // It is started again, and stands by.
    [leader, standby] = [standby, leader];
  }
  await stopChanges();
  await linked().link.untilMirrored();
  const entries = auditAfter(linked(), before);
  expect(strayWrites(entries)).toEqual([]);
  expect(terms(entries).length).toBeGreaterThan(STOPS);
  expect(writesOf(entries).length).toBeGreaterThan(10 * STOPS);
});

test("a leader that is cut off from the API server ends before the other begins, and what it had sent never arrives", async () => {
  const { world, replicas, link } = linked();
  // To the replica in the namespace the gateway of these tests is out of reach: let it be so for both.
  link.close();
  const network = await makeReplicaNetwork(world.bed);
  const before = auditAfter(linked());
  const { leader, standby, stopChanges } = await startPair(linked(), undefined, network.netns);
  await untilWrites(linked(), leader.name);
  await link.untilClosed();
  const conditions = (await getLink(world)).status?.conditions;
  const address = new URL(world.consumer.server).hostname;
  const ended = leader.exit();
  await network.cutOff(address);
  expect(await replicas.untilLeads(leader.name)).toBe(standby.name);
  expect(await ended).toEqual({ code: 1, signal: null });
  await leader.end("SIGKILL");
  await untilWrites(linked(), standby.name);
  await network.heal();
  await network.untilSilent(address);
  await stopChanges();
  await link.untilMirrored("closed");
  const entries = auditAfter(linked(), before);
  expect(terms(entries).slice(-2)).toEqual([leader.name, standby.name]);
  expect(strayWrites(entries)).toEqual([]);
  expect((await getLink(world)).status?.conditions).toEqual(conditions);
});
