import { describe, expect, test } from "vitest";
import { ANNOTATIONS } from "../../../api/names.ts";
import type { EndpointSlice } from "../../../api/objects.ts";
import { REASONS } from "../../../api/reasons.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { eventually } from "../fixtures.ts";
import { controllerWrites } from "../hostile/withstand.ts";
import { untilSays } from "../hostile/two-links.ts";
import { setGatewayReady } from "../mirror/consumer-cluster.ts";
import { NAMESPACE, readyOf, saidBy, useShop } from "./shop.ts";

const shop = useShop();

const FAILBACK = { [ANNOTATIONS.failoverFailbackAfter]: "1s" };
const ACTIVE = {
  ...FAILBACK,
  [ANNOTATIONS.failoverMode]: "active",
  [ANNOTATIONS.failoverActivateAfter]: "500ms",
};

/** Exports a Service of this name from both providers. */
async function exportsBoth(name: string): Promise<void> {
  await shop().exports("west", name);
  await shop().exports("north", name);
}

/** Reasons of the Events on a Service, in their order; Kubernetes has some of its own. */
async function reasonsOn(name: string): Promise<string[]> {
  const reasons: readonly string[] = Object.values(REASONS);
  return (await shop().events(name))
    .map(({ reason = "" }) => reason)
    .filter((reason) => reasons.includes(reason));
}

describe("the target of a Service", () => {
  test("is the first healthy one, at once, and the better one again only after failback-after", async () => {
    await exportsBoth("order");
    await shop().failsOver("order", "west,north", { annotations: FAILBACK });
    await shop().exports("west", "hold");
    await shop().exports("north", "hold");
    await shop().failsOver("hold", "west,north");
    await shop().says("order", "standby west");
    await shop().says("hold", "standby west");
    for (const name of ["order", "hold"]) {
      await shop().becomes(false, name, "west");
      await shop().says(name, "standby north");
      await shop().tells(
        name,
        REASONS.FailoverTargetChanged,
        `fails over to north/shop/${name} now`,
      );
      await shop().becomes(true, name, "west");
    }
    await shop().says("order", "standby west");
    await shop().tells("order", REASONS.FailoverTargetChanged, "fails over to west/shop/order now");
    // Its failback-after is 30 s.
    expect(saidBy(await shop().sees("hold"))).toBe("standby north");
    expect(await reasonsOn("hold")).toEqual([REASONS.FailoverTargetChanged]);
  });

  test("stays, closed, when none is healthy, and takes connections when one is again", async () => {
    await exportsBoth("closing");
    await shop().failsOver("closing", "west,north", { annotations: FAILBACK });
    const before = await shop().says("closing", "standby west");
    // In this order: a target that is not healthy any more stays when no other is.
    await shop().closes("north", "closing");
    await shop().closes("west", "closing");
    const refusing = await shop().says("closing", "unprotected west");
    // It has no part in what terminating endpoints of the Service may still serve.
    expect(refusing.endpoints ?? []).toEqual([]);
    await shop().becomes(false, "closing");
    const closed = await shop().says("closing", "closed west");
    expect({ ...closed, metadata: {} }).toEqual({ ...before, metadata: {} });
    const told = await shop().tells(
      "closing",
      REASONS.FailoverUnavailable,
      "connections are refused",
    );
    expect(told.type).toBe("Warning");
    await shop().becomes(true, "closing", "north");
    await shop().says("closing", "active north");
    await shop().tells(
      "closing",
      REASONS.FailoverActivated,
      "connections go to north/shop/closing.",
    );
  });

  test("is gone with its Link, and the Service is as it was", async () => {
    await exportsBoth("linked");
    await shop().exports("west", "lonely");
    await shop().failsOver("linked", "west,north");
    await shop().failsOver("lonely", "west");
    const before = await Promise.all(
      ["linked", "lonely"].map(async (name) => await shop().service(name)),
    );
    const first = await shop().says("lonely", "standby west");
    await shop().says("linked", "standby west");
    await shop().links.relinkWest();
    await shop().tells("lonely", REASONS.FailoverTargetUnknown, "no Link to cluster west");
    const second = await shop().says("lonely", "standby west");
    expect(second.metadata.uid).not.toBe(first.metadata.uid);
    await shop().says("linked", "standby north");
    const after = await Promise.all(
      ["linked", "lonely"].map(async (name) => await shop().service(name)),
    );
    expect(after).toEqual(before);
  });
});

describe("what is told of a Service", () => {
  test("survives a restart of the controller, and none of it is told again", async () => {
    await shop().exports("west", "told");
    await shop().failsOver("told", "west");
    await shop().says("told", "standby west");
    await shop().becomes(false, "told");
    const before = await shop().says("told", "active west");
    const activated = await shop().tells("told", REASONS.FailoverActivated);
    expect(activated).toMatchObject({
      type: "Normal",
      note: "No endpoint of Service shop/told is ready here; connections go to west/shop/told.",
    });
    await shop().links.restart();
    await shop().exports("west", "after-restart");
    await shop().failsOver("after-restart", "west");
    await shop().says("after-restart", "standby west");
    expect(await shop().slice("told")).toEqual(before);
    await shop().becomes(true, "told");
    await shop().says("told", "standby west");
    await shop().tells("told", REASONS.FailoverReturned);
    expect(await reasonsOn("told")).toEqual([REASONS.FailoverActivated, REASONS.FailoverReturned]);
  });

  test("is in the metrics", async () => {
    await shop().exports("west", "measured");
    await shop().failsOver("measured", "west", { ready: false });
    await shop().says("measured", "active west");
    const active = /isthmus_failover_active\{service="shop\/measured",target="west"\} 1/;
    await eventually(async () => expect(await shop().links.registry.metrics()).toMatch(active), {
      describe: "the metric says that connections go to west",
    });
    await shop().becomes(true, "measured");
    await shop().says("measured", "standby west");
    await eventually(
      async () => expect(await shop().links.registry.metrics()).not.toMatch(active),
      { describe: "the metric says so no more" },
    );
  });
});

describe("in active mode", () => {
  test("the target takes over after activate-after and gives back one gateway after another", async () => {
    await shop().exports("west", "flips");
    await shop().failsOver("flips", "west", { annotations: ACTIVE });
    const idle = await shop().says("flips", "standby west");
    expect(idle.endpoints ?? []).toEqual([]);
    await shop().becomes(false, "flips");
    const active = await shop().says("flips", "active west");
    expect((active.endpoints ?? []).map(({ conditions }) => conditions)).toEqual([
      { ready: true, serving: true, terminating: false },
      { ready: true, serving: true, terminating: false },
    ]);
    await shop().becomes(true, "flips");
    expect((await shop().says("flips", "standby west")).endpoints ?? []).toEqual([]);
    expect(await shop().history("flips", idle)).toEqual([
      "activating west 0",
      "active west 2",
      "returning west 2",
      "returning west 1",
      "standby west 0",
    ]);
    expect(await reasonsOn("flips")).toEqual([REASONS.FailoverActivated, REASONS.FailoverReturned]);
  });

  test("a target that closes takes nothing any more, and one that is healthy takes over", async () => {
    await exportsBoth("shut");
    await shop().failsOver("shut", "west,north", { annotations: ACTIVE, ready: false });
    expect(readyOf(await shop().says("shut", "active west"))).toBe(2);
    await shop().becomes(false, "shut", "west");
    expect(readyOf(await shop().says("shut", "active north"))).toBe(2);
    await shop().becomes(false, "shut", "north");
    const closed = await shop().says("shut", "closed north");
    expect((closed.endpoints ?? []).map(({ conditions }) => conditions?.ready)).toEqual([
      false,
      false,
    ]);
  });

  test("a Service that is returning when its target closes has it back at once", async () => {
    await shop().exports("west", "back");
    const annotations = { ...ACTIVE, [ANNOTATIONS.failoverFailbackAfter]: "1h" };
    await shop().failsOver("back", "west", { annotations, ready: false });
    await shop().says("back", "active west");
    await shop().becomes(true, "back");
    expect(readyOf(await shop().says("back", "returning west"))).toBe(2);
    await shop().becomes(false, "back", "west");
    expect(readyOf(await shop().says("back", "unprotected west"))).toBe(0);
  });
});

test("a gateway that is not Ready is in no slice, and is again when it is", async () => {
  await shop().exports("west", "gateways");
  await shop().failsOver("gateways", "west");
  const podsOf = (count: number) =>
    shop().sees("gateways", ({ endpoints }) => endpoints?.length === count);
  await podsOf(2);
  await setGatewayReady(shop().east, "gateway-b", false);
  const [only] = (await podsOf(1)).endpoints ?? [];
  expect(only?.targetRef?.name).toBe("gateway-a");
  await setGatewayReady(shop().east, "gateway-b", true, "10.1.0.6");
  await podsOf(2);
});

const CROWD = Array.from({ length: 100 }, (_, index) => `crowd-${index}`);

test("a link that falls moves 100 Services, one write each, its return moves them back, and a restart writes nothing", async () => {
  await exportsBoth("pool");
  const [targets, annotations] = ["west/shop/pool,north/shop/pool", FAILBACK];
  for (let index = 0; index < CROWD.length; index += 20) {
    const some = CROWD.slice(index, index + 20);
    await Promise.all(
      some.map(async (name) => await shop().failsOver(name, targets, { annotations })),
    );
  }
  await untilCrowdSays("standby west");
  await eventually(() => expect(new Set(crowdWrites()).size).toBe(CROWD.length), {
    describe: "the audit log has a write for each Service",
  });
  const made = crowdWrites().length;
  shop().links.gateways.west.stop();
  await untilCrowdSays("standby north");
  await shop().links.gateways.west.start();
  await untilSays(shop().links, "west", "Ready", "True LinkReady");
  await untilCrowdSays("standby west");
  await eventually(() => expect(crowdWrites()).toHaveLength(made + 200), {
    describe: "one write for each Service and move",
  });
  await shop().links.restart();
  await untilSays(shop().links, "west", "Ready", "True LinkReady");
  // Every Service is looked at in its turn, and this one after all of them.
  await shop().failsOver("marker", "west/shop/pool");
  await shop().says("marker", "standby west");
  const writes = () => controllerWrites(shop().links).map(({ name }) => name);
  await eventually(() => expect(writes()).toContain("marker.failover-ipv4"), {
    describe: "the audit log has the last write",
  });
  expect(crowdWrites()).toHaveLength(made + 200);
});

async function untilCrowdSays(said: string): Promise<void> {
  await eventually(
    async () => {
      const { items } = await shop().east.list<EndpointSlice>(RESOURCES.endpointSlices, {
        namespace: NAMESPACE,
      });
      const slices = items.filter(({ metadata }) => /^crowd-\d+\.failover/.test(metadata.name));
      const others = slices.map(saidBy).filter((each) => each !== said);
      expect([slices.length, others]).toEqual([CROWD.length, []]);
    },
    { describe: `all of them say ${said}`, timeoutMs: 30_000 },
  );
}

/** Names of their slices, one for each write so far. */
function crowdWrites(): string[] {
  return controllerWrites(shop().links)
    .filter(({ name, resource }) => resource === "endpointslices" && name.startsWith("crowd-"))
    .map(({ name }) => name);
}
