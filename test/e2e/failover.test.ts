import { isIP } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, it, onTestFailed } from "vitest";
import { ANNOTATIONS } from "../../api/names.ts";
import type { EndpointSlice, KubeObject, Service } from "../../api/objects.ts";
import { REASONS } from "../../api/reasons.ts";
import { RESOURCES } from "../../api/resources.ts";
import { poll } from "../bed/poll.ts";
import { scaleDeployment } from "../system/deployments.ts";
import { killGateway, scaleGateway, startController, stopController } from "../system/journey.ts";
import { LOOPS, NAMESPACE, service, startFailoverWorld } from "../system/failover-world.ts";
import {
  contentOf,
  eventReasons,
  failoverSlices,
  isCoveredBy,
  userSlice,
} from "../system/failover-view.ts";
import { streamsFor } from "../system/gateway-streams.ts";
import { type CallTarget, Places } from "../system/places.ts";
import type { Member, System } from "../system/system.ts";

const SETTLE = { timeoutMs: 60_000 };
const PORT_80 = ["sticky", "renamed", "near", "edge", "brisk", "alias", "mine", ...LOOPS] as const;
/** Those whose endpoints in east are the pods of web, without active mode. */
const OWN = ["web", "admin", "ipv4", "ipv6", "sticky", "renamed", "near", "edge"] as const;
type Target = (typeof OWN)[number] | (typeof PORT_80)[number];

let system: System;
let east: Member;
let west: Member;
let north: Member;
let places: Places<Target>;
let failed = false;

beforeAll(async () => {
  system = await startFailoverWorld();
  east = system.member("east");
  west = system.member("west");
  north = system.member("north");
  places = await Places.start(system, east, {
    namespace: NAMESPACE,
    targets: {
      web: { url: urlOf("web") },
      admin: { url: `http://web.${NAMESPACE}.svc:81/`, says: " at admin" },
      ipv4: { url: `http://${await addressOf("web", 4)}/` },
      ipv6: { url: `http://[${await addressOf("web", 6)}]/` },
      ...portEighty(),
    },
  });
});

afterAll(async () => {
  const logs = await system?.down({ keepLogs: failed });
  if (logs !== undefined) process.stderr.write(`logs of every component: ${logs}\n`);
});

beforeEach(() => {
  onTestFailed(() => {
    failed = true;
  });
});

function urlOf(name: string): string {
  return `http://${name}.${NAMESPACE}.svc/`;
}

function target(name: string): CallTarget {
  return { url: urlOf(name) };
}

function portEighty(): Record<(typeof PORT_80)[number], CallTarget> {
  return {
    sticky: target("sticky"),
    renamed: target("renamed"),
    near: target("near"),
    edge: target("edge"),
    brisk: target("brisk"),
    alias: target("alias"),
    mine: target("mine"),
    loop: target("loop"),
    ring: target("ring"),
  };
}

async function serviceOf({ client }: Member, name: string): Promise<Service> {
  return await client.get<Service>(RESOURCES.services, { namespace: NAMESPACE, name });
}

async function addressOf(name: string, family: 4 | 6): Promise<string> {
  const { spec } = await serviceOf(east, name);
  const address = spec?.clusterIPs?.find((each) => isIP(each) === family);
  if (address === undefined) throw new Error(`Service ${name} has no IPv${family} address`);
  return address;
}

async function scaleOwnPods(replicas: number): Promise<number> {
  await scaleDeployment(east, NAMESPACE, "web", replicas);
  return Date.now();
}

/** Waits for what each test begins with, whatever the one before left behind. */
async function ready(): Promise<void> {
  const sinceMs = await scaleOwnPods(1);
  await Promise.all([west, north].map((member) => scaleGateway(member, 2)));
  await poll("west covers every Service", async () => await isCoveredBy(east, "west"), SETTLE);
  await places.untilAnsweredBy("east", [...OWN, "brisk"], { sinceMs, inARow: 3 });
}

// A starved machine may let a pod end before everybody has heard of it; twice in a row is no accident.
it(
  "sends connections to west when the own pods go and back when they return, from pods and nodes of both proxy modes",
  { retry: 1 },
  async () => {
    await ready();
    const goneMs = await scaleOwnPods(0);
    await places.untilAnsweredBy("west", [...OWN, "brisk"], { sinceMs: goneMs });
    const backMs = await scaleOwnPods(1);
    await places.untilAnsweredBy("east", OWN, { sinceMs: backMs });
    expect(places.failures(OWN, goneMs)).toEqual([]);
    // The gateways are taken out one after the other.
    await places.untilAnsweredBy("east", ["brisk"], { sinceMs: backMs, inARow: 8 });
    const left = (await failoverSlices(east, "brisk")).flatMap(({ endpoints }) => endpoints ?? []);
    expect(left).toEqual([]);
    expect(await eventReasons(east, "web")).toEqual(
      expect.arrayContaining([REASONS.FailoverActivated, REASONS.FailoverReturned]),
    );
  },
);

it("goes on to north when west fails, is refused at once when north fails too, and returns in that order", async () => {
  await ready();
  const all = [...OWN, "brisk", "alias"] as const;
  const goneMs = await scaleOwnPods(0);
  await places.untilAnsweredBy("west", all, { sinceMs: goneMs });
  const westKilledMs = await killGateway(west);
  await places.untilAnsweredBy("north", all, { sinceMs: westKilledMs });
  const northKilledMs = await killGateway(north);
  await places.untilRefused(all, { sinceMs: northKilledMs, inARow: 5 });
  const revivedMs = Date.now();
  await Promise.all([west, north].map((member) => scaleGateway(member, 2)));
  await places.untilAnsweredBy("west", all, { sinceMs: revivedMs });
  expect(places.hangs(all, goneMs)).toEqual([]);
  const backMs = await scaleOwnPods(1);
  await places.untilAnsweredBy("east", OWN, { sinceMs: backMs });
});

it("follows the first healthy cluster for a Service without endpoints, and leaves a user's own slice as it is", async () => {
  await ready();
  const answers = () => places.untilAnsweredBy("west", ["alias", "mine"], { sinceMs: Date.now() });
  await answers();
  const slice = await userSlice(east, "mine");
  const created = await east.client.create<EndpointSlice>(RESOURCES.endpointSlices, slice);
  await places.untilAnsweredBy("east", ["mine"], { sinceMs: Date.now() });
  const [endpoint] = created.endpoints ?? [];
  const key = { namespace: NAMESPACE, name: created.metadata.name };
  const theirs = await east.client.patch<EndpointSlice>(
    RESOURCES.endpointSlices,
    key,
    { endpoints: [{ ...endpoint, conditions: { ready: false } }] },
    { type: "merge" },
  );
  await answers();
  expect(await east.client.get(RESOURCES.endpointSlices, key)).toEqual(theirs);
});

it("refuses at once what two clusters without endpoints fail over to each other, and sends nothing between them", async () => {
  const fromWest = await Places.start(system, west, {
    namespace: NAMESPACE,
    targets: { loop: { url: urlOf("loop") }, ring: { url: urlOf("ring") } },
  });
  for (const name of LOOPS)
    await west.client.create(RESOURCES.endpointSlices, await userSlice(west, name));
  const fullMs = Date.now();
  await places.untilAnsweredBy("west", LOOPS, { sinceMs: fullMs });
  await fromWest.untilAnsweredBy("west", LOOPS, { sinceMs: fullMs });
  for (const name of LOOPS) {
    const key = { namespace: NAMESPACE, name: `${name}-of-user` };
    await west.client.remove(RESOURCES.endpointSlices, key);
  }
  const emptyMs = Date.now();
  await Promise.all(
    [places, fromWest].map((each) => each.untilRefused(LOOPS, { sinceMs: emptyMs, inARow: 5 })),
  );
  const streams = () =>
    Promise.all(
      LOOPS.flatMap((name) =>
        [east, west].map((member) => streamsFor(member, `${NAMESPACE}/${name}`)),
      ),
    );
  const before = await streams();
  expect(Math.min(...before)).toBeGreaterThan(0);
  const closedMs = Date.now();
  await Promise.all(
    [places, fromWest].map((each) => each.untilRefused(LOOPS, { sinceMs: closedMs, inARow: 10 })),
  );
  expect(await streams()).toEqual(before);
  expect([places, fromWest].flatMap((each) => each.hangs(LOOPS, emptyMs))).toEqual([]);
});

it("sends nothing from outside to west while externalTrafficPolicy is Local, and nothing at all with internalTrafficPolicy Local", async () => {
  await ready();
  const { spec } = await serviceOf(east, "edge");
  const port = spec?.ports?.[0]?.nodePort ?? 0;
  const outcomes = await Promise.all(
    east.cluster.nodes.map(async ({ address }) => await outcomeOf(`http://${address}:${port}/`)),
  );
  expect(outcomes).toEqual(["hello from east", "no answer"]);
  expect(await failoverSlices(east, "edge")).toHaveLength(1);
  expect(await failoverSlices(east, "here")).toEqual([]);
  expect(await eventReasons(east, "here")).toContain(REASONS.FailoverUnsupported);
});

/** What the machine that holds the bed, to every cluster an outsider, gets from a URL. */
async function outcomeOf(url: string): Promise<string> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(500) });
    return (await answer.text()).trim();
  } catch {
    return "no answer";
  }
}

it("leaves a Service byte for byte as it was once the annotation is gone", async () => {
  const unmarked = service("unmarked", {}, { note: "of the user" });
  const before = await east.client.create<Service>(RESOURCES.services, withoutFailover(unmarked));
  const annotate = async (value: string | null) =>
    await east.client.patch(
      RESOURCES.services,
      { namespace: NAMESPACE, name: "unmarked" },
      { metadata: { annotations: { [ANNOTATIONS.failover]: value } } },
      { type: "merge" },
    );
  await annotate(`west/${NAMESPACE}/web`);
  await poll(
    "slices of ours",
    async () => (await failoverSlices(east, "unmarked")).length === 1,
    SETTLE,
  );
  await annotate(null);
  await poll(
    "no slice of ours",
    async () => (await failoverSlices(east, "unmarked")).length === 0,
    SETTLE,
  );
  expect(contentOf(await serviceOf(east, "unmarked"))).toBe(contentOf(before));
});

function withoutFailover(object: KubeObject): KubeObject {
  const { [ANNOTATIONS.failover]: _failover, ...annotations } = object.metadata.annotations ?? {};
  return { ...object, metadata: { ...object.metadata, annotations } };
}

// The last one: controllers of west's control plane take half a minute to get over the loss of their API server.
it(
  "fails over and returns with the own controller and the provider's API server dead",
  { retry: 1 },
  async () => {
    await ready();
    const api = west.cluster.process("kube-apiserver");
    try {
      await Promise.all([stopController(east), api.stop()]);
      const goneMs = await scaleOwnPods(0);
      await places.untilAnsweredBy("west", OWN, { sinceMs: goneMs });
      const backMs = await scaleOwnPods(1);
      await places.untilAnsweredBy("east", OWN, { sinceMs: backMs });
      expect(places.failures([...OWN, "alias"], goneMs)).toEqual([]);
    } finally {
      await startController(east);
      api.start();
      await west.cluster.waitForApi();
    }
  },
);
