import fc from "fast-check";
import { expect, test } from "vitest";
import { ANNOTATIONS } from "../../../api/names.ts";
import type { Endpoint, EndpointSlice } from "../../../api/objects.ts";
import { formatSource } from "../../../api/ownership.ts";
import {
  type Beginning,
  CLUSTERS,
  Life,
  type Look,
  type Mode,
  type Own,
  type Step,
} from "./service-life.ts";
import type { Target } from "./targets.ts";

const RUNS = { numRuns: 250 };

const at = fc.nat(CLUSTERS.length - 1);
const anyMode = fc.constantFrom<Mode>("standby", "active");
const own = fc.constantFrom<Own>("ready", "draining", "none");
const order = fc.shuffledSubarray([0, 1, 2], { minLength: 1 });
const delayMs = fc.constantFrom(0, 500, 1001, 30_000);
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("link" as const),
    at,
    link: fc.constantFrom("none", "down", "ready"),
  }),
  fc.record({
    kind: fc.constant("mirror" as const),
    at,
    mirror: fc.constantFrom("none", "closed", "open"),
  }),
  fc.record({ kind: fc.constant("mirrors" as const), mirror: fc.constantFrom("closed", "open") }),
  fc.record({ kind: fc.constant("ports" as const), at, name: fc.constantFrom("http", "other") }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("own" as const), own }) },
  fc.record({ kind: fc.constant("gateways" as const), count: fc.nat(3) }),
  fc.record({ kind: fc.constant("policy" as const), targets: order, mode: anyMode }),
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("time" as const),
      ms: fc.constantFrom(0, 1, 400, 600, 15_000, 40_000),
    }),
  },
  fc.record({ kind: fc.constant("restart" as const) }),
);

const beginning: fc.Arbitrary<Beginning> = fc.record({
  mode: anyMode,
  activateAfterMs: delayMs,
  failbackAfterMs: delayMs,
});
const steps = fc.array(anyStep, { minLength: 5, maxLength: 25 });

function nameOf(target: Target | undefined): string | undefined {
  return target && formatSource(target.source);
}

function endpointsOf(slices: readonly EndpointSlice[]): Endpoint[] {
  return slices.flatMap(({ endpoints }) => endpoints ?? []);
}

function readyOf(slices: readonly EndpointSlice[]): Endpoint[] {
  return endpointsOf(slices).filter(({ conditions }) => conditions?.ready !== false);
}

/** What kube-proxy sends to while the Service has no ready endpoint (KEP-1669). */
function fallbackOf(slices: readonly EndpointSlice[]): Endpoint[] {
  return endpointsOf(slices).filter(
    ({ conditions }) => conditions?.serving === true && conditions.terminating === true,
  );
}

function allStandBy(slices: readonly EndpointSlice[]): boolean {
  return fallbackOf(slices).length === endpointsOf(slices).length;
}

/** Whether connections that the target gets arrive. */
function isHealthy({ gateways }: Life, { plan }: Look): boolean {
  return plan.target?.healthy === true && gateways > 0;
}

/** What must hold after every look, whatever came before, by its name. */
const RULES: Record<string, (life: Life, look: Look) => boolean> = {
  "a healthy target is chosen while there is one": (_, { targets, plan }) =>
    plan.target?.healthy === true || !targets.some(({ healthy }) => healthy),
  "one slice a family if any target has ports, else none": (_, { targets, slices }) =>
    slices.length === (targets.some(({ ports }) => ports.length > 0) ? 2 : 0),
  "every slice has the ports of the one target": (_, { plan, slices }) =>
    slices.every(
      ({ metadata, ports }) =>
        ports?.length === 1 &&
        ports[0]?.port === plan.target?.ports[0]?.port &&
        metadata.annotations?.[ANNOTATIONS.source] === nameOf(plan.target),
    ),
  "every slice has every gateway that stands by or takes part, and no other": (
    { gateways },
    { plan, slices },
  ) => {
    const present = plan.restForm === "standby" ? gateways : plan.readyEndpoints;
    return slices.every(({ endpoints }) => endpoints?.length === present);
  },
  "as many are ready as planned": (_, { plan, slices }) =>
    slices.every((slice) => readyOf([slice]).length === plan.readyEndpoints),
  "none is ready in standby mode": ({ mode }, { slices }) =>
    mode === "active" || readyOf(slices).length === 0,
  "all stand by in standby mode with a healthy target": (life, look) =>
    life.mode === "active" || !isHealthy(life, look) || allStandBy(look.slices),
  "what refuses takes nothing from what terminates and still serves": (life, look) =>
    isHealthy(life, look) || !life.ownUsable || fallbackOf(look.slices).length === 0,
  "what is closed is refused by the egress, at once": (life, look) =>
    look.plan.state !== "closed" || life.ownUsable || allStandBy(look.slices),
  "none is ready and another stands by": (_, { slices }) =>
    !fallbackOf(slices).some(({ conditions }) => conditions?.ready !== false),
  "none is ready without a healthy target": (life, look) =>
    isHealthy(life, look) || readyOf(look.slices).length === 0,
  "the state says whether an own endpoint is ready": ({ ownReady }, { plan }) =>
    ["standby", "unprotected", "returning"].includes(plan.state) === ownReady,
  "closed is said when nothing takes connections": (life, look) =>
    (look.plan.state === "closed") === (!life.ownReady && !isHealthy(life, look)),
  "unprotected is said when nothing stands by": (life, look) =>
    (look.plan.state === "unprotected") === (life.ownReady && !isHealthy(life, look)),
  "active means that a data plane has where to send to": ({ mode }, { plan, slices }) =>
    plan.state !== "active" || (mode === "active" ? readyOf : fallbackOf)(slices).length > 0,
  "a finding is of a target that has one": (_, { targets, plan }) =>
    plan.findings.length === targets.flatMap(({ findings }) => findings).length,
};

/** Sees to it that a life goes well: returns what is wrong after a look. */
type Check = (life: Life, given: Beginning) => (look: Look, step: Step) => string[];

/** Lives many lives step by step; returns the shortest that `check` found something wrong in, empty when there is none. */
function wrongIn(check: Check, beginnings = beginning, lives = steps): string {
  const property = fc.property(beginnings, lives, (given, all) => {
    const life = new Life(given);
    const see = check(life, given);
    for (const step of [{ kind: "time", ms: 0 } as const, ...all]) {
      life.take(step);
      const [complaint] = see(life.look(), step);
      if (complaint !== undefined) throw new Error(complaint);
    }
  });
  const run = fc.check(property, RUNS);
  return run.failed ? `${String(run.errorInstance)}: ${fc.defaultReportMessage(run) ?? ""}` : "";
}

test("after every step of any life the target is healthy if any is, has ports, and takes what its mode lets it", () => {
  const wrong = wrongIn((life) => (look) => {
    const broken = Object.entries(RULES).filter(([, rule]) => !rule(life, look));
    return broken.map(([name]) => `not so: ${name}: ${look.plan.message}`);
  });
  expect(wrong).toBe("");
});

test("a second look at the same things gives the same slices, so that nothing is written", () => {
  const wrong = wrongIn((life) => ({ slices }) => {
    const [first, second] = [slices, life.look().slices].map((each) => JSON.stringify(each));
    return first === second ? [] : [`${first} became ${second}`];
  });
  expect(wrong).toBe("");
});

test("a restart alone, at any moment, changes neither the target nor the state", () => {
  const wrong = wrongIn((life) => (look) => {
    life.take({ kind: "restart" });
    const [before, after] = [look, life.look()].map(
      ({ plan }) => `${nameOf(plan.target)} ${plan.state}`,
    );
    return before === after ? [] : [`${before} became ${after}`];
  });
  expect(wrong).toBe("");
});

test("to something worse only as the current target is not healthy, to something better only after failback-after", () => {
  const wrong = wrongIn((life, { failbackAfterMs }) => {
    /** Since when each target is healthy, as far as one who looks each time can know. */
    let healthySinceMs = new Map<string, number>();
    let current: string | undefined;
    return ({ targets, plan }, step) => {
      if (step.kind === "restart") healthySinceMs = new Map();
      const healthy = targets.flatMap((target) => (target.healthy ? (nameOf(target) ?? "") : []));
      healthySinceMs = new Map(
        healthy.map((name) => [name, healthySinceMs.get(name) ?? life.nowMs]),
      );
      const [before, chosen = ""] = [current, nameOf(plan.target)];
      current = chosen;
      if (healthy.length === 0 || chosen === before) return [];
      if (before === undefined || !healthy.includes(before)) {
        return chosen === healthy[0] ? [] : [`${chosen}, not ${healthy[0]}, came after ${before}`];
      }
      const forMs = life.nowMs - (healthySinceMs.get(chosen) ?? life.nowMs);
      const isBetter = healthy.indexOf(chosen) < healthy.indexOf(before);
      return isBetter && forMs >= failbackAfterMs ? [] : [`${before} left after ${forMs} ms`];
    };
  });
  expect(wrong).toBe("");
});

test("once nothing happens any more, the first healthy target is chosen, and takes all or nothing", () => {
  fc.assert(
    fc.property(beginning, steps, (given, all) => {
      const life = new Life(given);
      for (const step of all) {
        life.take(step);
        life.look();
      }
      const beganMs = life.nowMs;
      const { targets, plan, slices } = life.calm();
      const first = targets.find(({ healthy }) => healthy);
      const hasTarget = first !== undefined && life.gateways > 0;
      const [whileReady, whileNone] = hasTarget ? ["standby", "active"] : ["unprotected", "closed"];
      const takes = life.mode === "active" && !life.ownReady && hasTarget;
      expect({
        chosen: nameOf(plan.target),
        state: plan.state,
        ready: readyOf(slices).length,
        // Taking back begins after failback-after, and takes as long at most.
        inTime: life.nowMs - beganMs <= given.activateAfterMs + 2 * given.failbackAfterMs + 1,
      }).toEqual({
        chosen: nameOf(first ?? plan.target),
        state: life.ownReady ? whileReady : whileNone,
        ready: takes ? 2 * life.gateways : 0,
        inTime: true,
      });
    }),
    RUNS,
  );
});

/** Takes over late enough, and gives back late enough and for good. */
const takesTurns: Check = (life, { activateAfterMs, failbackAfterMs }) => {
  let ownSinceMs = life.nowMs;
  let before = { ready: 0, gateways: 0, ownReady: true };
  return (look, step) => {
    const { ownReady, gateways, nowMs } = life;
    if (ownReady !== before.ownReady || step.kind === "restart") ownSinceMs = nowMs;
    const forMs = nowMs - ownSinceMs;
    const ready = readyOf(look.slices).length / 2;
    const taken = before.ready;
    // After a restart the time until then counts for nothing, so that returning begins anew.
    const isSame = gateways === before.gateways && !["policy", "restart"].includes(step.kind);
    before = { ready, gateways, ownReady };
    if (!isSame || ready === taken) return [];
    if (ready > taken && ownReady) return [`${ready} are ready again, no more ${taken}`];
    // While some are ready still, the others need not wait.
    if (taken === 0 && forMs < activateAfterMs) return [`taken after ${forMs} ms`];
    const isTimely = forMs >= failbackAfterMs || !isHealthy(life, look);
    return ready < taken && !isTimely ? [`given back after ${forMs} ms`] : [];
  };
};

test("active mode: nothing is taken before activate-after, and it is given back step by step, never taken again", () => {
  const active = beginning.map((given) => ({ ...given, mode: "active" as const }));
  const staying = steps.map((all) =>
    all.map((step) => (step.kind === "policy" ? { ...step, mode: "active" as const } : step)),
  );
  expect(wrongIn(takesTurns, active, staying)).toBe("");
});
