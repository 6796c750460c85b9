import { Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import type { FailoverStateName } from "../../api/failover.ts";
import type { Service } from "../../api/objects.ts";
import { type Finding, REASONS } from "../../api/reasons.ts";
import type { EventContent, ObjectReference } from "../../kube/events.ts";
import { declareFailoverMetrics } from "./metrics.ts";
import type { FailoverPlan } from "./plan/plan.ts";
import { FailoverReporter } from "./reporter.ts";

const KEY = "shop/web";
const service: Service = { metadata: { namespace: "shop", name: "web", uid: "7" } };
const finding: Finding = { reason: REASONS.FailoverTargetUnknown, message: "no Link\nto south" };

function sourceIn(cluster: string) {
  return { cluster, namespace: "shop", name: "web" };
}

function planOf(
  state: FailoverStateName,
  cluster = "west",
  findings: Finding[] = [],
): FailoverPlan {
  const source = sourceIn(cluster);
  const told = { reason: REASONS.MirrorOpen, message: "" };
  const target = { source, link: cluster, ports: [], healthy: true, ...told, findings: [] };
  const decided = { readyEndpoints: 0, restForm: "standby" } as const;
  return { target, ...decided, state, ...told, message: `now ${state}`, findings };
}

/** A reporter, and what it told so far. */
function reporting() {
  const told: { regarding: ObjectReference; event: EventContent }[] = [];
  const registry = new Registry();
  const events = {
    record: (regarding: ObjectReference, event: EventContent) =>
      void told.push({ regarding, event }),
  };
  const reporter = new FailoverReporter(events, declareFailoverMetrics(registry));
  const metrics = async (): Promise<string[]> =>
    (await registry.metrics()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return { reporter, told, metrics };
}

test.for<[FailoverStateName | undefined, FailoverStateName, string]>([
  [undefined, "standby", ""],
  [undefined, "active", "Normal FailoverActivated"],
  [undefined, "closed", "Warning FailoverUnavailable"],
  ["standby", "standby", ""],
  ["standby", "active", "Normal FailoverActivated"],
  ["standby", "activating", ""],
  ["activating", "active", "Normal FailoverActivated"],
  ["activating", "standby", ""],
  ["activating", "closed", "Warning FailoverUnavailable"],
  ["active", "active", ""],
  ["active", "returning", ""],
  ["active", "standby", "Normal FailoverReturned"],
  ["active", "unprotected", "Normal FailoverReturned"],
  ["active", "closed", "Warning FailoverUnavailable"],
  ["returning", "active", ""],
  ["returning", "standby", "Normal FailoverReturned"],
  ["closed", "active", "Normal FailoverActivated"],
  ["closed", "closed", ""],
  ["closed", "standby", "Normal FailoverReturned"],
  ["standby", "unprotected", "Warning FailoverUnavailable"],
  ["unprotected", "closed", "Warning FailoverUnavailable"],
  ["unprotected", "standby", ""],
])("from %s to %s the Event is '%s'", ([before, state, event]) => {
  const { reporter, told } = reporting();
  reporter.planned(KEY, service, { target: sourceIn("west"), state: before }, planOf(state));
  expect(told.map((each) => `${each.event.type} ${each.event.reason}`).join()).toBe(event);
  for (const each of told) {
    expect(each.event.note).toBe(`now ${state}`);
    expect(each.regarding).toEqual({
      apiVersion: "v1",
      kind: "Service",
      namespace: "shop",
      name: "web",
      uid: "7",
    });
  }
});

test.for<[FailoverStateName, FailoverStateName, string]>([
  ["standby", "standby", "FailoverTargetChanged"],
  ["active", "active", "FailoverTargetChanged"],
  // One Event for one change.
  ["standby", "active", "FailoverActivated"],
])("another target while %s becomes %s is told as %s", ([before, state, reason]) => {
  const { reporter, told } = reporting();
  const recorded = { target: sourceIn("west"), state: before };
  reporter.planned(KEY, service, recorded, planOf(state, "north"));
  expect(told.map(({ event }) => event.reason)).toEqual([reason]);
});

describe("what a person has to mend", () => {
  test("is told once while it lasts, on one line, and again when it is back", () => {
    const { reporter, told } = reporting();
    const recorded = { target: sourceIn("west"), state: "standby" } as const;
    for (const findings of [[finding], [finding], [], [finding]]) {
      reporter.planned(KEY, service, recorded, planOf("standby", "west", findings));
    }
    expect(told.map(({ event }) => [event.type, event.note])).toEqual([
      ["Warning", "no Link\u{FFFD}to south"],
      ["Warning", "no Link\u{FFFD}to south"],
    ]);
  });

  test("and what is only a limit is told as Normal", () => {
    const { reporter, told } = reporting();
    const limit = { reason: REASONS.FailoverLimited, message: "only TCP" };
    const recorded = { target: undefined, state: "standby" } as const;
    reporter.planned(KEY, service, recorded, planOf("standby", "west", [limit]));
    expect(told.map(({ event }) => event.type)).toEqual(["Normal"]);
  });
});

/** The metric's line of one Service in that state. */
function isIn(state: string): string {
  return `isthmus_failover_services{state="${state}"} 1`;
}

describe("the metrics", () => {
  const active = 'isthmus_failover_active{service="shop/web",target="west"} 1';

  test("say where connections go and in which state Services are", async () => {
    const { reporter, metrics } = reporting();
    const recorded = { target: sourceIn("west"), state: "standby" } as const;
    reporter.planned(KEY, service, recorded, planOf("active"));
    const transitions = 'isthmus_failover_transitions_total{reason="FailoverActivated"} 1';
    expect(await metrics()).toEqual(expect.arrayContaining([active, isIn("active"), transitions]));
    // It cannot be written, so it is as before.
    reporter.refused(KEY, service, [finding]);
    expect(await metrics()).toContain(active);
    reporter.planned(KEY, service, { ...recorded, state: "active" }, planOf("standby"));
    expect(await metrics()).toContain(isIn("standby"));
    expect(await metrics()).not.toContain(active);
  });

  test.for<[string, (reporter: FailoverReporter) => void]>([
    ["asks for no failover", (reporter) => reporter.forget(KEY)],
    ["cannot fail over", (reporter) => reporter.unsupported(KEY, service, finding)],
    ["is told of by another replica", (reporter) => reporter.stop()],
  ])("know nothing of a Service that %s", async ([, end]) => {
    const { reporter, metrics } = reporting();
    reporter.planned(KEY, service, { target: undefined, state: undefined }, planOf("active"));
    end(reporter);
    expect(await metrics()).not.toContain(active);
    expect(await metrics()).toContain('isthmus_failover_services{state="active"} 0');
  });
});
