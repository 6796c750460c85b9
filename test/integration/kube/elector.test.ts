import { Registry } from "prom-client";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../../api/clock.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { KubeClient } from "../../../kube/client/client.ts";
import { LeaderElector, type LeaderElectorOptions } from "../../../kube/elector/elector.ts";
import type { Lease } from "../../../kube/elector/lease.ts";
import { createLogger } from "../../../kube/logger.ts";
import { declareKubeMetrics } from "../../../kube/metrics.ts";
import { adminClient, clientThrough, eventually, faultProxy, testNamespace } from "../fixtures.ts";

const TIMES = { leaseDurationMs: 2000, renewDeadlineMs: 1200, retryPeriodMs: 150 };

/** Who leads, who ever did, and whether two did at once. */
class Witness {
  readonly leading = new Set<string>();
  readonly terms: string[] = [];
  overlaps = 0;

  begin(identity: string): void {
    this.leading.add(identity);
    this.terms.push(identity);
    if (this.leading.size > 1) this.overlaps += 1;
  }
}

/** An elector whose work counts as going on until its signal aborts. */
function contender(
  client: KubeClient,
  namespace: string,
  identity: string,
  witness: Witness,
  options: Partial<LeaderElectorOptions> = {},
): LeaderElector {
  const elector = new LeaderElector({
    client,
    namespace,
    name: "test",
    identity,
    ...TIMES,
    logger: createLogger({ name: "test", level: "silent" }),
    onStartedLeading: async (signal) => {
      witness.begin(identity);
      signal.addEventListener("abort", () => witness.leading.delete(identity), { once: true });
      await Promise.resolve();
    },
    onStoppedLeading: () => {},
    ...options,
  });
  onTestFinished(async () => await elector.stop());
  return elector;
}

async function leads(elector: LeaderElector, timeoutMs = 15_000): Promise<void> {
  await eventually(() => expect(elector.isLeader()).toBe(true), {
    timeoutMs,
    describe: "a leader",
  });
}

const forever = new AbortController().signal;

test("of two electors one leads; when it stops the other follows at once", async () => {
  const client = adminClient("west");
  const namespace = await testNamespace(client);
  const witness = new Witness();
  const first = contender(client, namespace, "first", witness);
  // Longer than the test may take: only a released lease can be taken in time.
  const second = contender(client, namespace, "second", witness, { leaseDurationMs: 600_000 });
  await first.start(forever);
  await leads(first);
  await second.start(forever);
  await first.stop();
  expect(first.isLeader()).toBe(false);
  await leads(second);
  expect(witness).toMatchObject({ terms: ["first", "second"], overlaps: 0 });
  const lease = await client.get<Lease>(RESOURCES.leases, { namespace, name: "test" });
  expect(lease.spec).toMatchObject({ holderIdentity: "second", leaseTransitions: 1 });
  expect(lease.spec?.renewTime).toMatch(/\.\d{6}Z$/);
});

test("a leader that cannot renew has stopped before another can begin", async () => {
  const admin = adminClient("west");
  const namespace = await testNamespace(admin);
  const proxy = await faultProxy("west");
  const witness = new Witness();
  // At the end of its term it waits for an answer that does not come.
  const cut = contender(clientThrough(proxy), namespace, "cut", witness, {
    renewDeadlineMs: 1900,
    retryPeriodMs: 1000,
  });
  const other = contender(admin, namespace, "other", witness, { retryPeriodMs: 50 });
  await cut.start(forever);
  await leads(cut);
  await other.start(forever);
  proxy.inject({ match: () => true, fault: { type: "hang" }, times: Infinity });
  await leads(other);
  expect(cut.isLeader()).toBe(false);
  expect(witness).toMatchObject({ terms: ["cut", "other"], overlaps: 0 });
});

test("an outage shorter than the renew deadline changes nothing", async () => {
  const namespace = await testNamespace(adminClient("west"));
  const proxy = await faultProxy("west");
  const witness = new Witness();
  const elector = contender(clientThrough(proxy), namespace, "only", witness, {
    leaseDurationMs: 20_000,
    renewDeadlineMs: 15_000,
  });
  await elector.start(forever);
  await leads(elector);
  const before = proxy.requests.length;
  proxy.inject({ match: () => true, fault: { type: "drop" }, times: 3 });
  await eventually(() => expect(proxy.requests.length).toBeGreaterThan(before + 5), {
    describe: "renewals after the outage",
  });
  expect(elector.isLeader()).toBe(true);
  expect(witness.terms).toEqual(["only"]);
});

test("a leader whose lease was given to another stops at its next look", async () => {
  const client = adminClient("west");
  const namespace = await testNamespace(client);
  const witness = new Witness();
  const robbed = contender(client, namespace, "robbed", witness, {
    leaseDurationMs: 600_000,
    renewDeadlineMs: 500_000,
  });
  await robbed.start(forever);
  await leads(robbed);
  const key = { namespace, name: "test" };
  await client.patch(
    RESOURCES.leases,
    key,
    { spec: { holderIdentity: "thief" } },
    { type: "merge" },
  );
  await eventually(() => expect(witness.leading.size).toBe(0), { describe: "the end of the work" });
  await eventually(() => expect(robbed.isLeader()).toBe(false), { describe: "no leader" });
  expect(witness.terms).toEqual(["robbed"]);
});

test.each(["wall clock", "monotonic clock"])(
  "a leader that slept past its term, by the %s, no longer leads the moment it wakes",
  async (which) => {
    const namespace = await testNamespace(adminClient("west"));
    const proxy = await faultProxy("west");
    const witness = new Witness();
    const slept = { wallMs: 0, monotonicMs: 0 };
    const elector = contender(clientThrough(proxy), namespace, "sleeper", witness, {
      leaseDurationMs: 600_000,
      renewDeadlineMs: 500_000,
      clock: { ...systemClock, nowMs: () => Date.now() + slept.wallMs },
      monotonicMs: () => performance.now() + slept.monotonicMs,
    });
    await elector.start(forever);
    await leads(elector);
    const wakeServer = proxy.inject({
      match: () => true,
      fault: { type: "drop" },
      times: Infinity,
    });
    slept[which === "wall clock" ? "wallMs" : "monotonicMs"] = 500_000;
    expect(elector.isLeader()).toBe(false);
    await eventually(() => expect(witness.leading.size).toBe(0), {
      describe: "the end of the work",
    });
    wakeServer();
    await eventually(() => expect(witness.terms).toHaveLength(2), { describe: "a second term" });
    expect(witness.overlaps).toBe(0);
  },
);

test("work that fails gives the lease up, is told to end, and is begun again", async () => {
  const client = adminClient("west");
  const namespace = await testNamespace(client);
  const metrics = declareKubeMetrics(new Registry());
  const calls: string[] = [];
  const elector = contender(client, namespace, "failing", new Witness(), {
    metrics,
    onStartedLeading: async () => {
      calls.push("started");
      await Promise.resolve();
      if (calls.length === 1) throw new Error("a bug");
    },
    onStoppedLeading: () => calls.push("stopped"),
  });
  await elector.start(forever);
  await eventually(() => expect(calls).toEqual(["started", "stopped", "started"]), {
    describe: "a second start",
  });
  const between = await client.get<Lease>(RESOURCES.leases, { namespace, name: "test" });
  expect(between.spec).toMatchObject({ holderIdentity: "failing", leaseTransitions: 1 });
  await elector.stop();
  expect(calls).toEqual(["started", "stopped", "started", "stopped"]);
  const lease = await client.get<Lease>(RESOURCES.leases, { namespace, name: "test" });
  expect(lease.spec?.holderIdentity ?? "").toBe("");
});

test("a lease whose work may have left writes on the wire is not released: others wait for its end", async () => {
  const client = adminClient("west");
  const namespace = await testNamespace(client);
  const elector = contender(client, namespace, "cut off", new Witness(), {
    onStartedLeading: async (signal) =>
      await new Promise<boolean>((resolve) => {
        signal.addEventListener("abort", () => resolve(false), { once: true });
      }),
  });
  await elector.start(forever);
  await leads(elector);
  await elector.stop();
  expect(elector.isLeader()).toBe(false);
  const lease = await client.get<Lease>(RESOURCES.leases, { namespace, name: "test" });
  expect(lease.spec?.holderIdentity).toBe("cut off");
});

test("the term of an elector that is stopped goes on until its work has ended", async () => {
  const client = adminClient("west");
  const namespace = await testNamespace(client);
  const seen: boolean[] = [];
  const elector = contender(client, namespace, "stopped", new Witness(), {
    leaseDurationMs: 600_000,
    renewDeadlineMs: 500_000,
    onStartedLeading: async (signal) =>
      await new Promise<void>((resolve) => {
        const end = (): void => {
          seen.push(elector.isLeader());
          resolve();
        };
        signal.addEventListener("abort", end, { once: true });
      }),
  });
  await elector.start(forever);
  await leads(elector);
  await elector.stop();
  seen.push(elector.isLeader());
  expect(seen).toEqual([true, false]);
});

test("times that cannot fence are refused", () => {
  const client = adminClient("west");
  expect(() => contender(client, "default", "x", new Witness(), { renewDeadlineMs: 2000 })).toThrow(
    RangeError,
  );
});
