import { Histogram, Gauge, Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import { Metrics } from "./metrics-text.ts";

/** What our processes would show. */
async function scrape(): Promise<Metrics> {
  const registry = new Registry();
  const registers = [registry];
  const labelNames = ["link", "address"];
  const sessions = new Gauge({ name: "sessions", help: "x", labelNames, registers });
  sessions.set({ link: "west", address: "10.0.0.1:15008" }, 2);
  sessions.set({ link: "west", address: '[fd00::1]:"\\\n' }, 3);
  sessions.set({ link: "north", address: "10.0.0.1:15008" }, -1.5);
  const rtt = new Histogram({
    name: "rtt",
    help: "x",
    labelNames: ["link"],
    buckets: [1, 2, 4],
    registers,
  });
  for (const seconds of [0.5, 1.5, 1.5, 3]) rtt.observe({ link: "west" }, seconds);
  rtt.observe({ link: "north" }, 100);
  return new Metrics(await registry.metrics());
}

describe("a scrape", () => {
  test("gives the sum of the series that have the labels asked for", async () => {
    const metrics = await scrape();
    expect(metrics.sum("sessions")).toBe(3.5);
    expect(metrics.sum("sessions", { link: "west" })).toBe(5);
    expect(metrics.sum("sessions", { link: "west", address: "10.0.0.1:15008" })).toBe(2);
    expect(metrics.sum("sessions", { link: "south" })).toBeUndefined();
    expect(metrics.sum("session")).toBeUndefined();
  });

  test("gives the values of a label as they were, quotes and line breaks too", async () => {
    const metrics = await scrape();
    expect(metrics.labelValues("sessions", "address", { link: "west" })).toEqual([
      "10.0.0.1:15008",
      '[fd00::1]:"\\\n',
    ]);
  });

  test("estimates quantiles as Prometheus does", async () => {
    const metrics = await scrape();
    expect(metrics.quantile("rtt", 0.25, { link: "west" })).toBe(1);
    expect(metrics.quantile("rtt", 0.5, { link: "west" })).toBe(1.5);
    expect(metrics.quantile("rtt", 1, { link: "west" })).toBe(4);
    expect(metrics.quantile("rtt", 0.5, { link: "north" })).toBe(4);
    expect(metrics.quantile("rtt", 0.5, { link: "south" })).toBeUndefined();
  });
});
