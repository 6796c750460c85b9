import { expect, test } from "vitest";
import { formatFailover } from "./failover-table.ts";
import type { ServiceReport, TargetReport } from "./report.ts";

const NOW_MS = Date.parse("2026-01-01T01:00:00Z");

const WEST: TargetReport = {
  target: "west/shop/web",
  link: "west",
  role: "standby",
  healthy: true,
  reason: "MirrorOpen",
  message: "",
  ports: [{ name: "http", egressPort: 10_000 }],
};

const NORTH: TargetReport = {
  target: "north/shop/web",
  link: "",
  role: "-",
  healthy: false,
  reason: "FailoverTargetUnknown",
  message: "there is no Link to cluster north",
  ports: [],
};

function serviceOf(changes: Partial<ServiceReport> = {}): ServiceReport {
  return {
    namespace: "shop",
    name: "web",
    mode: "standby",
    state: "standby",
    reason: "FailoverStandby",
    message: "west/shop/web stands by.",
    since: "2026-01-01T00:55:00Z",
    ownReady: true,
    target: "west/shop/web",
    targets: [WEST],
    findings: [],
    ...changes,
  };
}

function format(services: ServiceReport[], details = false): string {
  return formatFailover({ services }, { nowMs: NOW_MS, useColor: false, details });
}

test("a Service that stands by is one line", () => {
  expect(format([serviceOf()])).toBe(
    [
      "NAMESPACE   SERVICE   MODE      STATE     TARGET          SINCE   WHY",
      "shop        web       standby   standby   west/shop/web   5m      FailoverStandby",
      "",
    ].join("\n"),
  );
});

test("one that failed over is told with each of its targets", () => {
  const active = serviceOf({
    state: "active",
    reason: "FailoverActivated",
    message: "No endpoint is ready here.",
    targets: [{ ...WEST, role: "active" }, NORTH],
    findings: [
      { reason: "FailoverTargetUnknown", message: NORTH.message },
      { reason: "FailoverInvalid", message: "annotation has a*b; correct it." },
    ],
  });
  const [, , , ...block] = format([active]).trimEnd().split("\n");
  expect(block).toEqual([
    "shop/web is active: No endpoint is ready here.",
    "  TARGET           ROLE     HEALTHY   PORTS   WHY",
    "  west/shop/web    active   yes       http    MirrorOpen",
    "  north/shop/web   -        no        -       FailoverTargetUnknown: there is no Link to cluster north",
    "! FailoverInvalid: annotation has a*b; correct it.",
  ]);
});

test("one that stands by is told in full when asked for, or when there is something to mend", () => {
  expect(format([serviceOf()], true)).toContain("shop/web is standby: west/shop/web stands by.");
  const finding = { reason: "FailoverLimited", message: "only TCP fails over." } as const;
  expect(format([serviceOf({ findings: [finding] })])).toContain(
    "! FailoverLimited: only TCP fails over.",
  );
});

test("what is not known is a dash", () => {
  const { mode: _, since: __, target: ___, ...rest } = serviceOf();
  const reason = "FailoverUnsupported";
  const line = format([{ ...rest, state: "unsupported", reason, targets: [] }]).split("\n")[1];
  expect(line).toMatch(/^shop +web +- +unsupported +- +- +FailoverUnsupported$/);
});

test("what others wrote cannot steer the terminal", () => {
  const message = "one\u001B[2Jtwo\nthree\u202Efour";
  const text = format([
    serviceOf({
      state: "closed",
      message,
      targets: [{ ...WEST, message: `${message}!` }],
      findings: [{ reason: "FailoverInvalid", message: `${message}?` }],
    }),
  ]);
  for (const mark of ["\u001B", "\u202E"]) expect(text).not.toContain(mark);
  expect(text.match(/one.\[2Jtwo.three.four/g)).toHaveLength(3);
});

test("says how to begin when no Service asks", () => {
  const options = { nowMs: NOW_MS, useColor: false, details: false, namespace: "shop" };
  const text = formatFailover({ services: [] }, options);
  expect(text).toContain("No Service of namespace shop asks for failover.");
  expect(text).toContain("kubectl annotate service NAME -n shop isthmus.dev/failover=CLUSTER");
  expect(format([])).toContain("No Service of this cluster");
});
