import { pino } from "pino";
import { Registry } from "prom-client";
import { beforeEach, expect, test } from "vitest";
import { declareGatewayMetrics } from "../metrics.ts";
import { refusalReason } from "./refusal-reasons.ts";
import { StreamAccounts } from "./stream-accounts.ts";

let registry: Registry;
let known: Set<string>;
let accounts: StreamAccounts;

beforeEach(() => {
  registry = new Registry();
  known = new Set(["east shop/web"]);
  accounts = new StreamAccounts({
    role: "ingress",
    metrics: declareGatewayMetrics(registry),
    logger: pino({ level: "silent" }),
    nowMs: () => 0,
    knows: (link, service) => known.has(`${link} ${service}`),
  });
});

const begin = () =>
  accounts.begin({
    link: "east",
    consumer: "east",
    authority: { namespace: "shop", service: "web", port: 80 },
  });

async function counted(): Promise<string[]> {
  const lines = (await registry.metrics()).split("\n");
  return lines
    .filter((line) => line.startsWith("isthmus_gateway_streams_total{"))
    .map((line) => line.replace(/^.*service="(.*)",result="(.*)",reason="(.*)"\}/, "$1 $2 $3"));
}

test("the series of a Service that is gone stay until the last of its streams has ended", async () => {
  const [first, second] = [begin(), begin()];
  first.end({ result: "ended", reason: "" });
  known.clear();
  accounts.forget();
  expect(await counted()).toEqual(["shop/web ended  1"]);
  second.end({ result: "reset", reason: "Unexported" });
  expect(await counted()).toEqual([" ended  1", " reset Unexported 1"]);
});

test("a Service that comes back is counted anew", async () => {
  begin().end({ result: "ended", reason: "" });
  known.clear();
  accounts.forget();
  known.add("east shop/web");
  begin().end({ result: "ended", reason: "" });
  expect(await counted()).toEqual([" ended  1", "shop/web ended  1"]);
});

test("a reason that a remote makes up is counted as one", () => {
  expect(refusalReason("NotExported")).toBe("NotExported");
  for (const said of ["x".repeat(1000), "", undefined, ["NotExported"], "constructor"]) {
    expect(refusalReason(said)).toBe("RemoteRefused");
  }
});
