import { expect, test } from "vitest";
import { REASONS } from "../../../api/reasons.ts";
import { chooseTarget } from "./choose.ts";
import type { Target } from "./targets.ts";

type Kind = "healthy" | "closed" | "portless";

function targetOf(cluster: string, kind: Kind): Target {
  return {
    source: { cluster, namespace: "shop", name: "web" },
    link: cluster,
    ports: kind === "portless" ? [] : [{ name: "http", protocol: "TCP", port: 10_000 }],
    healthy: kind === "healthy",
    reason: REASONS.MirrorOpen,
    message: "",
    findings: [],
  };
}

interface Case {
  /** In order of preference: what each is, and for how long it has been healthy, in ms. */
  targets: Record<string, Kind | number>;
  current?: string;
  chosen: string | undefined;
  recheckAfterMs?: number;
}

test.for<[string, Case]>([
  ["the first healthy one, to begin with", { targets: { a: "closed", b: 5 }, chosen: "b" }],
  ["the first of two, however short", { targets: { a: 0, b: 9999 }, chosen: "a" }],
  [
    "the current one, when nothing is better",
    { targets: { a: 9, b: 9 }, current: "a", chosen: "a" },
  ],
  [
    "at once another, when the current one is not healthy",
    { targets: { a: "closed", b: 0, c: 9999 }, current: "a", chosen: "b" },
  ],
  [
    "at once a better one too, when the current one is not healthy",
    { targets: { a: 0, b: "closed" }, current: "b", chosen: "a" },
  ],
  [
    "the current one, until something better is proven",
    { targets: { a: 400, b: 5 }, current: "b", chosen: "b", recheckAfterMs: 600 },
  ],
  ["a better one that is proven", { targets: { a: 1000, b: 5 }, current: "b", chosen: "a" }],
  [
    "a better one that is proven, until the best is",
    { targets: { a: 300, b: 1000, c: 5 }, current: "c", chosen: "b", recheckAfterMs: 700 },
  ],
  [
    "the current one, until the first of several is proven",
    { targets: { a: 300, b: 900, c: 5 }, current: "c", chosen: "c", recheckAfterMs: 100 },
  ],
  [
    "the current one, when none is healthy",
    { targets: { a: "closed", b: "closed" }, current: "b", chosen: "b" },
  ],
  [
    "the first with ports, when none is healthy and the current one has none",
    { targets: { a: "portless", b: "closed", c: "portless" }, current: "c", chosen: "b" },
  ],
  [
    "the first with ports, when none was ever healthy",
    { targets: { a: "portless", b: "closed" }, chosen: "b" },
  ],
  [
    "the first healthy one, when the current one is not named any more",
    { targets: { a: 0, b: 0 }, current: "x", chosen: "a" },
  ],
  ["none, when none has ports", { targets: { a: "portless" }, current: "a", chosen: undefined }],
  ["none of none", { targets: {}, current: "a", chosen: undefined }],
])("chooses %s", ([, { targets, current, chosen, recheckAfterMs }]) => {
  const kinds = Object.entries(targets).map(([cluster, kind]) =>
    targetOf(cluster, typeof kind === "number" ? "healthy" : kind),
  );
  const choice = chooseTarget({
    targets: kinds,
    current:
      current === undefined ? undefined : { cluster: current, namespace: "shop", name: "web" },
    failbackAfterMs: 1000,
    healthyForMs: ({ source }) => Number(targets[source.cluster]),
  });
  expect([choice.target?.source.cluster, choice.recheckAfterMs]).toEqual([chosen, recheckAfterMs]);
});

test("two Services of one cluster are two targets", () => {
  const other = targetOf("a", "healthy");
  const targets = [targetOf("a", "closed"), { ...other, source: { ...other.source, name: "x" } }];
  const choose = (name: string) =>
    chooseTarget({
      targets,
      current: { cluster: "a", namespace: "shop", name },
      failbackAfterMs: 0,
      healthyForMs: () => 0,
    }).target?.source.name;
  expect([choose("web"), choose("x")]).toEqual(["x", "x"]);
});
