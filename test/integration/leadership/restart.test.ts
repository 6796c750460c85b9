import { expect, onTestFinished, test, vi } from "vitest";
import { linkDefinition } from "../../../api/crd.ts";
import { systemClock } from "../../../api/clock.ts";
import { LABELS, MANAGED_BY } from "../../../api/names.ts";
import type { KubeObject, Service } from "../../../api/objects.ts";
import { REASONS } from "../../../api/reasons.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { unjoin } from "../../../cmd/link/unjoin/unjoin.ts";
import { eventually } from "../fixtures.ts";
import { untilCondition, LINK_KEY, linkEvents } from "../link/link-world.ts";
import { recordingReporter } from "../link-cli/cli-bed.ts";
import { leaseWrites, writesOf } from "./audit-log.ts";
import { MIRROR_NAMESPACE as NAMESPACE } from "./busy-link.ts";
import { auditAfter, useLinked } from "./linked.ts";
import { LONG_LEASE, type Replica } from "./replica.ts";

const linked = useLinked();

vi.setConfig({ testTimeout: 120_000 });

/** Starts the only replica, which takes the Lease at once. */
async function startOnly(): Promise<Replica> {
  await linked().replicas.forgetLease();
  const replica = await linked().replicas.startForTest("controller-0", LONG_LEASE);
  await linked().replicas.untilLeads();
  return replica;
}

async function killed(replica: Replica): Promise<void> {
  await replica.end("SIGKILL");
}

/** Versions of everything in the mirrors' namespace. */
async function versions(): Promise<string[]> {
  const { east } = linked().world;
  const kinds = [RESOURCES.services, RESOURCES.endpointSlices, RESOURCES.endpoints];
  const lists = await Promise.all(
    kinds.map(async (kind) => await east.list<KubeObject>(kind, { namespace: NAMESPACE })),
  );
  return lists.flatMap(({ items }) =>
    items.map(({ kind, metadata }) => `${kind} ${metadata.name} ${metadata.resourceVersion}`),
  );
}

/** Waits until the replica has looked at everything and gone on leading. */
async function untilSettled(): Promise<void> {
  const before = auditAfter(linked());
  await eventually(
    () => expect(leaseWrites(auditAfter(linked(), before)).length).toBeGreaterThan(10),
    { describe: "ten renewals", timeoutMs: 40_000 },
  );
}

test("a controller that is killed and started again writes nothing where nothing has changed", async () => {
  const { link } = linked();
  const first = await startOnly();
  await link.untilMirrored("open");
  await untilSettled();
  await killed(first);
  const before = await versions();
  const marker = auditAfter(linked());
  await startOnly();
  await untilSettled();
  expect(await versions()).toEqual(before);
  expect(writesOf(auditAfter(linked(), marker))).toEqual([]);
});

test("a controller that is started when the provider's API has gone closes when the bound is over, and opens again", async () => {
  const { world, link } = linked();
  const staleness = async (apiStalenessSeconds: number) =>
    await world.east.patch(
      RESOURCES.links,
      LINK_KEY,
      { spec: { apiStalenessSeconds } },
      { type: "merge" },
    );
  await staleness(5);
  await killed(await startOnly());
  await link.untilMirrored("open");
  const api = world.provider.process("kube-apiserver");
  await api.stop();
  onTestFinished(async () => {
    api.start();
    await world.provider.waitForApi();
  });
  await startOnly();
  await link.untilClosed();
  const lost = await untilCondition(world, "ApiReachable", `False ${REASONS.ApiLostTooLong}`);
  expect(lost.status).toBe("False");
  api.start();
  await world.provider.waitForApi();
  await link.untilMirrored("open");
  await staleness(300);
});

test("a controller that is started when the gateway has gone closes every mirror", async () => {
  const { world, link } = linked();
  await killed(await startOnly());
  await link.untilMirrored("open");
  link.close();
  await startOnly();
  await link.untilMirrored("closed");
  expect((await untilCondition(world, "GatewayHealthy", "False GatewayUnreachable")).status).toBe(
    "False",
  );
});

/** The Link is taken away by hand, as if there had never been a finalizer. */
async function removeLinkByHand(): Promise<void> {
  const { east } = linked().world;
  const nothing = { metadata: { finalizers: null } };
  await east.patch(RESOURCES.links, LINK_KEY, nothing, { type: "merge" });
  await east.remove(RESOURCES.links, LINK_KEY);
}

test("what a Link left behind that went while no controller ran is removed by the next one, and nothing else", async () => {
  const { world, link } = linked();
  const { east } = world;
  const labels = { [LABELS.managedBy]: MANAGED_BY, [LABELS.link]: LINK_KEY.name };
  for (const metadata of [{ name: "labelled-by-hand", labels }, { name: "of-others" }]) {
    await east.create<Service>(RESOURCES.services, {
      metadata: { namespace: NAMESPACE, ...metadata },
      spec: { ports: [{ port: 80 }] },
    });
  }
  await killed(await startOnly());
  await link.untilMirrored("closed");
  const others = (await versions()).filter((line) => /by-hand|of-others/.test(line));
  await removeLinkByHand();
  await startOnly();
  await eventually(async () => expect(await versions()).toEqual(others), {
    describe: "only what is not ours is left",
    timeoutMs: 40_000,
  });
  const marker = auditAfter(linked());
  await untilSettled();
  expect(writesOf(auditAfter(linked(), marker))).toEqual([]);
});

test("where Links are not even known the mirrors stay as they are; once they are, leftovers go", async () => {
  const { world, link } = linked();
  const { east } = world;
  await link.putLink();
  const replica = await startOnly();
  await link.untilMirrored("closed");
  await killed(replica);
  await linked().replicas.forgetLease();
  const before = await versions();
  await removeLinkByHand();
  const { name } = linkDefinition().metadata;
  await east.remove(RESOURCES.customResourceDefinitions, { name });
  onTestFinished(async () => {
    await east.apply(RESOURCES.customResourceDefinitions, linkDefinition(), {
      fieldManager: "test",
      force: true,
    });
  });
  const marker = auditAfter(linked());
  await linked().replicas.startForTest("controller-0", LONG_LEASE);
  await eventually(
    () => {
      const refused = auditAfter(linked(), marker).filter(
        ({ what, verb, code }) => what.startsWith("links ") && verb === "list" && code === 404,
      );
      expect(refused.length).toBeGreaterThan(2);
    },
    { describe: "the controller asks for Links", timeoutMs: 40_000 },
  );
  expect(await versions()).toEqual(before);
  await east.apply(RESOURCES.customResourceDefinitions, linkDefinition(), {
    fieldManager: "test",
    force: true,
  });
  await eventually(async () => expect(await link.mirrors()).toHaveLength(0), {
    describe: "the leftovers are gone",
    timeoutMs: 60_000,
  });
});

test("link unjoin ends when API server and gateway of the provider are dead for good, and names what others keep, as does an Event on the Link", async () => {
  const { world, link } = linked();
  const { east } = world;
  await link.putLink();
  await startOnly();
  await link.untilMirrored("closed");
  await world.provider.process("kube-apiserver").stop();
  const kept = { namespace: NAMESPACE, name: "web-0-west" };
  const keep = async (finalizers: string[] | null) =>
    await east.patch(RESOURCES.services, kept, { metadata: { finalizers } }, { type: "merge" });
  await keep(["example.com/keep"]);
  const reporter = recordingReporter();
  await unjoin({
    access: {
      contextName: "east",
      namespace: "default",
      client: east,
      server: world.consumer.server,
      caPem: undefined,
      tlsServerName: undefined,
      insecure: false,
    },
    linkName: LINK_KEY.name,
    force: false,
    timeoutMs: 90_000,
    reporter,
    clock: systemClock,
    signal: new AbortController().signal,
  });
  expect(await east.find(RESOURCES.links, LINK_KEY)).toBeUndefined();
  expect((await link.mirrors()).map(({ metadata }) => metadata.name)).toEqual(["web-0-west"]);
  const told = reporter.lines.join("\n");
  expect(told).toContain(
    `Service ${NAMESPACE}/web-0-west, which the finalizer example.com/keep holds`,
  );
  expect(told).toContain("Link west is gone, with its mirrors and credentials");
  const events = await linkEvents(world, REASONS.DeletionBlocked);
  expect(events.map(({ note }) => note).join("; ")).toContain(`${NAMESPACE}/web-0-west`);
  await keep(null);
  expect(await link.mirrors()).toEqual([]);
});
