import { pino } from "pino";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { declareGatewayMetrics } from "../metrics.ts";
import { BoundReports } from "./bound-reports.ts";
import { DEFAULT_GATEWAY_LIMITS, fitOpenFiles, gatewayLimitsSchema } from "./limits.ts";

test("10,000 clients of one mirror fit into what is allowed by default, through one egress pod", () => {
  const limits = DEFAULT_GATEWAY_LIMITS;
  expect(limits.maxConnectionsPerLink).toBeGreaterThanOrEqual(10_000);
  expect(limits.maxStreamsPerPeer).toBeGreaterThanOrEqual(20_000);
  // Should all sessions but one be lost at once.
  expect(limits.maxStreamsPerSession).toBeGreaterThanOrEqual(10_000);
  expect(fitOpenFiles(limits, 2 ** 20).maxConnections).toBe(limits.maxConnections);
});

test("connections are no more than the open files that the process may have", () => {
  expect(fitOpenFiles(DEFAULT_GATEWAY_LIMITS, undefined)).toEqual(DEFAULT_GATEWAY_LIMITS);
  const { maxConnections, ...others } = fitOpenFiles(DEFAULT_GATEWAY_LIMITS, 20_000);
  expect(maxConnections).toBe(20_000 - 1024 - 4096);
  expect(DEFAULT_GATEWAY_LIMITS).toMatchObject(others);
  expect(fitOpenFiles(DEFAULT_GATEWAY_LIMITS, 1024).maxConnections).toBe(64);
});

test("a header timeout that would end idle sessions between two PINGs is refused", () => {
  const ping = { peerPingIntervalMs: 5000 };
  const refused = gatewayLimitsSchema.safeParse({ ...ping, headerTimeoutMs: 9999 });
  expect(refused.error?.issues[0]?.path).toEqual(["headerTimeoutMs"]);
  expect(gatewayLimitsSchema.safeParse({ ...ping, headerTimeoutMs: 10_000 }).success).toBe(true);
});

test("every crossing counts, and a flood of them is few lines of the log", async () => {
  const lines: unknown[] = [];
  const clock = { nowMs: 0 };
  const registry = new Registry();
  const reports = new BoundReports({
    role: "ingress",
    metrics: declareGatewayMetrics(registry),
    logger: pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) }),
    nowMs: () => clock.nowMs,
  });
  for (let count = 0; count < 1000; count += 1) reports.reached("Pings", "east");
  reports.reached("Pings", "north");
  clock.nowMs = 10_000;
  reports.reached("Pings", "east");
  expect(lines).toMatchObject([
    { msg: "bound reached", bound: "Pings", link: "east", unlogged: 0 },
    { msg: "bound reached", bound: "Pings", link: "north", unlogged: 0 },
    { msg: "bound reached", bound: "Pings", link: "east", unlogged: 999 },
  ]);
  expect(await registry.metrics()).toContain(
    'isthmus_gateway_bound_reached_total{role="ingress",bound="Pings",link="east"} 1001',
  );
});
