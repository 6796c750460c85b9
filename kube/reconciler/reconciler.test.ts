import { Writable } from "node:stream";
import { Registry } from "prom-client";
import { expect, onTestFinished, test, vi } from "vitest";
import { type Clock, systemClock } from "../../api/clock.ts";
import { TerminalError } from "../../api/errors.ts";
import { createLogger } from "../logger.ts";
import { declareKubeMetrics } from "../metrics.ts";
import { createController, type ControllerOptions, type Reconcile } from "./reconciler.ts";

const WAIT = { timeout: 5000 };

async function running(reconcile: Reconcile, options: Partial<ControllerOptions> = {}) {
  const lines: Record<string, unknown>[] = [];
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(JSON.parse(chunk.toString()));
      done();
    },
  });
  const delaysMs: number[] = [];
  // Delays are noted and cut short.
  const clock: Clock = {
    ...systemClock,
    sleep: async (durationMs, signal) => {
      delaysMs.push(durationMs);
      await systemClock.sleep(1, signal);
    },
  };
  const controller = createController({
    name: "test",
    reconcile,
    clock,
    random: () => 1,
    logger: createLogger({ name: "test", destination }),
    ...options,
  });
  await controller.start(new AbortController().signal);
  onTestFinished(async () => await controller.stop());
  return { controller, lines, delaysMs };
}

test("a request is reconciled once, with a logger that says what it is about", async () => {
  const seen: string[] = [];
  const { controller, lines } = await running(async (request, { logger, reconcileID }) => {
    await Promise.resolve();
    seen.push(`${request.group}:${request.key}`);
    logger.info({ reconcileID }, "working");
  });
  controller.enqueue({ group: "west", key: "shop/web" });
  await vi.waitFor(() => expect(seen).toEqual(["west:shop/web"]), WAIT);
  expect(lines).toMatchObject([{ controller: "test", link: "west", key: "shop/web" }]);
  expect(lines[0]?.["reconcileID"]).toMatch(/^[0-9a-f-]{36}$/);
});

test("an error is logged and retried after growing delays until it passes", async () => {
  let calls = 0;
  const { controller, lines, delaysMs } = await running(async () => {
    await Promise.resolve();
    calls += 1;
    if (calls < 4) throw new Error(`failure ${calls}`);
  });
  controller.enqueue({ group: "", key: "a" });
  await vi.waitFor(() => expect(calls).toBe(4), WAIT);
  expect(delaysMs).toEqual([200, 400, 800]);
  expect(lines.map(({ msg }) => msg)).toEqual(
    Array.from({ length: 3 }, () => "reconcile failed, retrying"),
  );
});

test("a terminal error is logged once with its reason and waits for the next change", async () => {
  let calls = 0;
  const { controller, lines, delaysMs } = await running(async () => {
    await Promise.resolve();
    calls += 1;
    if (calls === 1) throw new TerminalError("KubeconfigInvalid", "Secret x: no");
  });
  controller.enqueue({ group: "", key: "a" });
  await vi.waitFor(() => expect(lines).toHaveLength(1), WAIT);
  expect(lines).toMatchObject([
    { reason: "KubeconfigInvalid", msg: "reconcile failed, not retried" },
  ]);
  expect(delaysMs).toEqual([]);
  controller.enqueue({ group: "", key: "a" });
  await vi.waitFor(() => expect(calls).toBe(2), WAIT);
});

test("a result asks for the next reconcile", async () => {
  let calls = 0;
  const { controller, delaysMs } = await running(async () => {
    await Promise.resolve();
    calls += 1;
    return calls < 3 ? { requeueAfterMs: 1000 * calls } : {};
  });
  controller.enqueue({ group: "", key: "a" });
  await vi.waitFor(() => expect(calls).toBe(3), WAIT);
  expect(delaysMs).toEqual([1000, 2000]);
});

test("at most so many reconciles run at once, and never two of one request", async () => {
  let most = 0;
  const active: string[] = [];
  const finished: string[] = [];
  const { controller } = await running(
    async ({ key }) => {
      expect(active).not.toContain(key);
      active.push(key);
      most = Math.max(most, active.length);
      await new Promise((resolve) => setImmediate(resolve));
      active.splice(active.indexOf(key), 1);
      finished.push(key);
      // Changed while it was being worked on.
      if (finished.length <= 6) controller.enqueue({ group: "", key });
    },
    { concurrency: 3 },
  );
  for (const key of ["a", "b", "c", "d", "e", "f"]) controller.enqueue({ group: "", key });
  await vi.waitFor(() => expect(finished).toHaveLength(12), WAIT);
  expect(most).toBe(3);
});

test("reconciles of one link that never end leave half of the workers to the other links", async () => {
  const begun: string[] = [];
  const { controller } = await running(async ({ group }, { signal }) => {
    begun.push(group);
    if (group === "stuck") {
      await new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    }
  });
  for (let key = 0; key < 10; key += 1) controller.enqueue({ group: "stuck", key: String(key) });
  for (let key = 0; key < 10; key += 1) controller.enqueue({ group: "calm", key: String(key) });
  await vi.waitFor(() => expect(begun).toHaveLength(12), WAIT);
  expect(begun.filter((group) => group === "calm")).toHaveLength(10);
});

test("stopping aborts the reconcile under way, waits for it and logs no failure", async () => {
  const metrics = declareKubeMetrics(new Registry());
  const steps: string[] = [];
  const { controller, lines } = await running(
    async (_request, { signal }) => {
      steps.push("begun");
      await new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      }).finally(() => steps.push("ended"));
    },
    { metrics },
  );
  controller.enqueue({ group: "", key: "a" });
  await vi.waitFor(() => expect(steps).toEqual(["begun"]), WAIT);
  await controller.stop();
  expect(steps).toEqual(["begun", "ended"]);
  expect(lines).toEqual([]);
  const { values } = await metrics.reconcileSeconds.get();
  expect(values.some(({ labels }) => labels.outcome === "stopped")).toBe(true);
});
