import { Counter, Registry } from "prom-client";
import { expect, onTestFinished, test } from "vitest";
import { createHealthServer, type HealthServerOptions } from "./health-server.ts";
import { createLogger } from "./logger.ts";

async function started(options: Partial<HealthServerOptions> = {}) {
  const server = createHealthServer({
    port: 0,
    host: "127.0.0.1",
    registry: new Registry(),
    ready: () => true,
    logger: createLogger({ name: "test", level: "silent" }),
    ...options,
  });
  await server.start(new AbortController().signal);
  onTestFinished(async () => await server.stop());
  const get = async (path: string, method = "GET") => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
    return { status: response.status, text: await response.text() };
  };
  return { server, get };
}

test("readiness and health answer with the reason when they fail", async () => {
  let reason: string | true = "not synced: services";
  const { get } = await started({ ready: () => reason, healthy: () => "event loop stuck" });
  expect(await get("/readyz")).toEqual({ status: 503, text: "not synced: services\n" });
  expect(await get("/healthz")).toEqual({ status: 503, text: "event loop stuck\n" });
  reason = true;
  expect(await get("/readyz?verbose")).toEqual({ status: 200, text: "ok\n" });
});

test("metrics of the registry are served, and nothing else is", async () => {
  const registry = new Registry();
  new Counter({ name: "isthmus_test_total", help: "Test.", registers: [registry] }).inc(3);
  const { get } = await started({ registry });
  expect((await get("/metrics")).text).toContain("isthmus_test_total 3");
  expect((await get("/")).status).toBe(404);
  expect((await get("/metrics", "POST")).status).toBe(405);
});

test("a port that is taken makes the start fail, and stopping frees it", async () => {
  const { server } = await started();
  const { port } = server;
  await expect(started({ port })).rejects.toMatchObject({ code: "EADDRINUSE" });
  await server.stop();
  await server.stop();
  const { get } = await started({ port });
  expect((await get("/healthz")).status).toBe(200);
});
