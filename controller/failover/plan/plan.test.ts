import { expect, test } from "vitest";
import type { FailoverMode, FailoverStateName } from "../../../api/failover.ts";
import { REASONS } from "../../../api/reasons.ts";
import { type FailoverInputs, planFailover, stateOf } from "./plan.ts";
import type { Target } from "./targets.ts";

const source = { cluster: "west", namespace: "shop", name: "web" };
const healthy: Target = {
  source,
  link: "west",
  ports: [{ name: "http", protocol: "TCP", port: 10_001 }],
  healthy: true,
  reason: REASONS.MirrorOpen,
  message: "open",
  findings: [],
};
const closed: Target = {
  ...healthy,
  healthy: false,
  reason: REASONS.NoReadyEndpoints,
  message: "nothing is ready there",
};

interface Given {
  mode?: FailoverMode;
  targets?: readonly Target[];
  recorded?: FailoverStateName;
  /** Chosen so far; nothing by default. */
  current?: Target;
  ownReady?: boolean;
  ownForMs?: number;
  ownUsable?: boolean;
  gateways?: number;
}

function planOf(given: Given) {
  const { mode = "standby", targets = [healthy], recorded, gateways = 2 } = given;
  const { ownReady = true, ownForMs = 0, ownUsable = ownReady } = given;
  const inputs: FailoverInputs = {
    service: "shop/web",
    policy: {
      targets: targets.map((target) => target.source),
      mode,
      ports: [],
      activateAfterMs: 2000,
      failbackAfterMs: 30_000,
    },
    targets,
    recorded: { target: given.current?.source, state: recorded },
    observed: { ownReady, ownForMs, ownUsable, healthyForMs: () => 0 },
    gateways,
  };
  return planFailover(inputs);
}

const gone = { ownReady: false };

test.for<[Given, string, RegExp]>([
  [{}, "standby 0 standby", /has ready endpoints here; west\/shop\/web stands by\./],
  [
    { targets: [closed] },
    "unprotected 0 absent",
    /nothing to fail over to: no target is healthy; west\/shop\/web: nothing is ready there/,
  ],
  [{ targets: [] }, "unprotected 0 absent", /nothing to fail over to: no target is healthy\.$/],
  [
    gone,
    "active 0 standby",
    /^No endpoint of Service shop\/web is ready here; connections go to west\/shop\/web\.$/,
  ],
  [
    { ...gone, targets: [closed] },
    "closed 0 standby",
    /connections are refused, .*; west\/shop\/web: nothing/,
  ],
  // What terminates and still serves is better than what refuses.
  [{ ...gone, ownUsable: true, targets: [closed] }, "closed 0 absent", /connections are refused/],
  [{ ...gone, ownUsable: true }, "active 0 standby", /connections go to west/],
  [{ ...gone, gateways: 0 }, "closed 0 standby", /connections are refused/],
  [{ mode: "active" }, "standby 0 absent", /stands by/],
  [
    { mode: "active", ...gone, ownForMs: 1999 },
    "activating 0 absent",
    /takes over unless that ends soon/,
  ],
  [{ mode: "active", ...gone, ownForMs: 2000 }, "active 2 absent", /connections go to west/],
  [{ mode: "active", ...gone, recorded: "active" }, "active 2 absent", /connections go to west/],
  [
    { mode: "active", ...gone, recorded: "active", targets: [closed] },
    "closed 0 standby",
    /are refused/,
  ],
  [{ mode: "active", ...gone, targets: [closed] }, "closed 0 standby", /are refused/],
  [{ mode: "active", ...gone, recorded: "closed" }, "activating 0 absent", /unless that ends soon/],
  [{ mode: "active", recorded: "active" }, "returning 2 absent", /still takes a part/],
  [
    { mode: "active", recorded: "returning", ownForMs: 30_000 },
    "returning 1 absent",
    /still takes/,
  ],
  [{ mode: "active", recorded: "returning", ownForMs: 45_000 }, "standby 0 absent", /stands by/],
  [
    { mode: "active", recorded: "returning", targets: [closed] },
    "unprotected 0 absent",
    /nothing to fail/,
  ],
  // Who changes the mode at that moment sees no gap.
  [{ mode: "standby", ...gone, recorded: "active" }, "active 0 standby", /connections go to west/],
])("with %j the plan is %s", ([given, planned, message]) => {
  const { state, readyEndpoints, restForm, message: told } = planOf(given);
  expect(`${state} ${readyEndpoints} ${restForm}`).toBe(planned);
  expect(told).toMatch(message);
});

test("what a person has to mend is said of every target", () => {
  const finding = { reason: REASONS.FailoverTargetUnknown, message: "no Link" };
  const unusable = { ...closed, ports: [], findings: [finding] };
  expect(planOf({ targets: [healthy, unusable] }).findings).toEqual([finding]);
});

test("of two times to look again the earlier one counts", () => {
  const better = { ...healthy, source: { ...source, cluster: "north" } };
  const waits = { targets: [better, healthy], current: healthy };
  const activates: Given = { mode: "active", ...gone, ownForMs: 500 };
  expect(planOf(waits).recheckAfterMs).toBe(30_000);
  expect(planOf(activates).recheckAfterMs).toBe(1500);
  expect(planOf({ ...waits, ...activates }).recheckAfterMs).toBe(1500);
  expect(planOf({}).recheckAfterMs).toBeUndefined();
});

test.for<[boolean, boolean, boolean | undefined, FailoverStateName]>([
  [true, true, undefined, "standby"],
  [true, true, false, "standby"],
  [true, true, true, "returning"],
  [true, false, undefined, "unprotected"],
  [false, true, undefined, "active"],
  [false, true, true, "active"],
  [false, true, false, "activating"],
  [false, false, undefined, "closed"],
  [false, false, true, "closed"],
])("own ready %s, target healthy %s, taking part %s: %s", ([own, target, taking, state]) => {
  expect(stateOf(own, target, taking)).toBe(state);
});
