import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Clock } from "../../api/clock.ts";
import { type Request, WorkQueue } from "./work-queue.ts";

/** A clock that moves when told to. */
class ManualClock implements Clock {
  #nowMs = 0;
  #sleepers: { dueMs: number; wake: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  async sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#sleepers.push({ dueMs: this.#nowMs + durationMs, wake: resolve });
      signal?.addEventListener("abort", () => reject(new Error("aborted")), { once: true });
    });
  }

  async advance(durationMs: number): Promise<void> {
    this.#nowMs += durationMs;
    const due = this.#sleepers.filter(({ dueMs }) => dueMs <= this.#nowMs);
    this.#sleepers = this.#sleepers.filter(({ dueMs }) => dueMs > this.#nowMs);
    for (const { wake } of due) wake();
    await settled();
  }
}

/** Lets promises that can go on go on. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

function createQueue(clock: Clock = new ManualClock()): WorkQueue {
  return new WorkQueue({ clock, random: () => 1, backoff: { baseMs: 100, maxMs: 1000 } });
}

function request(key: string, group = ""): Request {
  return { group, key };
}

/** Takes everything that waits, in order. */
async function drain(queue: WorkQueue): Promise<string[]> {
  const keys: string[] = [];
  while (queue.depth > 0) {
    const taken = await queue.take();
    if (taken === undefined) break;
    keys.push(taken.group + taken.key);
    queue.done(taken);
  }
  return keys;
}

describe("adding", () => {
  test("a request that waits already is not added again", async () => {
    const queue = createQueue();
    for (const key of ["a", "b", "a"]) queue.add(request(key));
    expect(queue.depth).toBe(2);
    expect(await drain(queue)).toEqual(["a", "b"]);
  });

  test("the same key in two groups is two requests", async () => {
    const queue = createQueue();
    queue.add(request("x", "east"));
    queue.add(request("x", "west"));
    expect(await drain(queue)).toEqual(["eastx", "westx"]);
  });

  test("a request added while it is being worked on is handed out once more, afterwards", async () => {
    const queue = createQueue();
    queue.add(request("a"));
    const first = await queue.take();
    queue.add(request("a"));
    queue.add(request("a"));
    expect(queue.depth).toBe(0);
    if (first !== undefined) queue.done(first);
    expect(await drain(queue)).toEqual(["a"]);
  });

  test("a worker that waits is given the next request at once", async () => {
    const queue = createQueue();
    const waiting = queue.take();
    queue.add(request("a"));
    expect(await waiting).toEqual(request("a"));
    expect(queue.depth).toBe(0);
  });
});

describe("groups", () => {
  test("a group with a single request does not wait behind a group with many", async () => {
    const queue = createQueue();
    for (const key of ["1", "2", "3", "4"]) queue.add(request(key, "busy"));
    queue.add(request("1", "calm"));
    expect(await drain(queue)).toEqual(["busy1", "calm1", "busy2", "busy3", "busy4"]);
  });
});

describe("delays", () => {
  test("of several delays the earliest counts, once", async () => {
    const clock = new ManualClock();
    const queue = createQueue(clock);
    queue.addAfter(request("a"), 500);
    queue.addAfter(request("a"), 200);
    queue.addAfter(request("a"), 300);
    await clock.advance(199);
    expect(queue.depth).toBe(0);
    await clock.advance(1);
    expect(await drain(queue)).toEqual(["a"]);
    await clock.advance(1000);
    expect(queue.depth).toBe(0);
  });

  test("retries come later and later, up to the maximum, until the request is forgotten", () => {
    const queue = createQueue();
    const delays = Array.from({ length: 6 }, () => queue.retry(request("a")));
    expect(delays).toEqual([100, 200, 400, 800, 1000, 1000]);
    expect(queue.retry(request("b"))).toBe(100);
    queue.forget(request("a"));
    expect(queue.retry(request("a"))).toBe(100);
  });
});

test("a closed queue releases its workers and takes nothing more", async () => {
  const clock = new ManualClock();
  const queue = createQueue(clock);
  const waiting = queue.take();
  queue.addAfter(request("late"), 100);
  queue.close();
  queue.add(request("a"));
  await clock.advance(1000);
  expect(await waiting).toBeUndefined();
  expect(await queue.take()).toBeUndefined();
  expect(queue.depth).toBe(0);
});

type Move = { type: "add"; group: string; key: string } | { type: "take" } | { type: "done" };

const group = fc.constantFrom("east", "west", "");
const key = fc.constantFrom("a", "b", "c");
const moves = fc.array(
  fc.oneof(
    fc.record({ type: fc.constant("add" as const), group, key }),
    fc.constant<Move>({ type: "take" }),
    fc.constant<Move>({ type: "done" }),
  ),
  { maxLength: 60 },
);

test("no request is ever with two workers, and none that was added is lost", async () => {
  await fc.assert(
    fc.asyncProperty(moves, async (steps) => {
      const queue = createQueue();
      const working: Request[] = [];
      // Added, and not handed out since.
      const owed = new Set<string>();
      const take = async (): Promise<void> => {
        const taken = await queue.take();
        if (taken === undefined) throw new Error("the queue is closed");
        expect(working).not.toContainEqual(taken);
        expect(owed.delete(`${taken.group}/${taken.key}`)).toBe(true);
        working.push(taken);
      };
      for (const step of steps) {
        if (step.type === "add") {
          owed.add(`${step.group}/${step.key}`);
          queue.add({ group: step.group, key: step.key });
        } else if (step.type === "take") {
          if (queue.depth > 0) await take();
        } else {
          const finished = working.shift();
          if (finished !== undefined) queue.done(finished);
        }
      }
      while (working.length > 0 || queue.depth > 0) {
        const finished = working.shift();
        if (finished !== undefined) queue.done(finished);
        if (queue.depth > 0) await take();
      }
      expect([...owed]).toEqual([]);
    }),
  );
});

test("a group waits for at most one request of each other group", async () => {
  const requests = fc.uniqueArray(fc.tuple(group, fc.nat(30)), {
    selector: (pair) => pair.join("/"),
    minLength: 1,
    maxLength: 40,
  });
  await fc.assert(
    fc.asyncProperty(requests, async (pairs) => {
      const queue = createQueue();
      for (const [name, number] of pairs) queue.add(request(String(number), name));
      const waiting = new Map<string, number>();
      for (const [name] of pairs) waiting.set(name, (waiting.get(name) ?? 0) + 1);
      const skipped = new Map<string, Set<string>>();
      while (queue.depth > 0) {
        const taken = await queue.take();
        if (taken === undefined) break;
        queue.done(taken);
        waiting.set(taken.group, (waiting.get(taken.group) ?? 0) - 1);
        skipped.delete(taken.group);
        for (const [name, count] of waiting) {
          if (name === taken.group || count === 0) continue;
          const others = skipped.get(name) ?? new Set();
          expect(others.has(taken.group), `${name} waits for ${taken.group} twice`).toBe(false);
          skipped.set(name, others.add(taken.group));
        }
      }
    }),
  );
});
