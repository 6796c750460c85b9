import * as fc from "fast-check";
import { expect, test } from "vitest";
import { systemClock } from "../../api/clock.ts";
import { type Request, WorkQueue } from "./work-queue.ts";

/** A queue with so many workers, each of which keeps what it takes until told to finish. */
class Workshop {
  readonly queue: WorkQueue;
  readonly taken: Request[] = [];
  readonly working: Request[] = [];

  constructor(workers: number) {
    this.queue = new WorkQueue({ clock: systemClock, random: () => 1, workers });
    for (let worker = 0; worker < workers; worker += 1) void this.#takeNext();
  }

  activeOf(group: string): number {
    return this.working.filter((request) => request.group === group).length;
  }

  async add(group: string, key: string, options: { urgent?: boolean } = {}): Promise<void> {
    this.queue.add({ group, key, ...options });
    await settled();
  }

  async finish(index = 0): Promise<Request | undefined> {
    const [request] = this.working.splice(index % Math.max(1, this.working.length), 1);
    if (request !== undefined) {
      this.queue.done(request);
      void this.#takeNext();
    }
    await settled();
    return request;
  }

  async #takeNext(): Promise<void> {
    const request = await this.queue.take();
    if (request === undefined) return;
    this.taken.push(request);
    this.working.push(request);
  }
}

/** Lets promises that can go on go on. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test("a group whose requests never end has half of the workers, and the next group one at once", async () => {
  const shop = new Workshop(8);
  for (let key = 0; key < 200; key += 1) await shop.add("slow", String(key));
  expect(shop.activeOf("slow")).toBe(4);
  for (const group of ["b", "b", "b", "c", "c", "d"]) {
    await shop.add(group, String(shop.taken.length));
  }
  expect(["slow", "b", "c", "d"].map((group) => shop.activeOf(group))).toEqual([4, 2, 1, 1]);
});

test("requests of no group have all workers", async () => {
  const shop = new Workshop(4);
  for (const key of ["a", "b", "c", "d", "e"]) await shop.add("", key);
  expect(shop.working).toHaveLength(4);
});

test("a worker that becomes free goes to the group that waits, which then is served in turn", async () => {
  const shop = new Workshop(2);
  for (const key of ["1", "2", "3"]) await shop.add("a", key);
  await shop.add("b", "1");
  expect(shop.taken.map(({ group, key }) => group + key)).toEqual(["a1", "b1"]);
  await shop.add("b", "2");
  await shop.finish(1);
  await shop.finish(0);
  await shop.finish(0);
  await shop.finish(0);
  expect(shop.taken.map(({ group, key }) => group + key)).toEqual(["a1", "b1", "b2", "a2", "a3"]);
});

test("what is urgent comes before the rest of its group, also when it waited already", async () => {
  const shop = new Workshop(1);
  for (const key of ["busy", "1", "2", "3", "4"]) await shop.add("a", key);
  await shop.add("b", "1");
  await shop.add("a", "4", { urgent: true });
  await shop.add("a", "new", { urgent: true });
  await shop.add("a", "new");
  // While it is being worked on.
  await shop.add("a", "busy", { urgent: true });
  await shop.add("a", "busy");
  expect(shop.queue.depth).toBe(6);
  while (shop.working.length > 0) await shop.finish();
  expect(shop.taken.map(({ group, key }) => group + key)).toEqual([
    "abusy",
    "a4",
    "b1",
    "anew",
    "abusy",
    "a1",
    "a2",
    "a3",
  ]);
});

const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant("add" as const),
      group: fc.constantFrom("east", "north", "west"),
      key: fc.nat(20).map(String),
      urgent: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("finish" as const), index: fc.nat(7) }) },
);

test("no group ever holds more workers than it found free, no worker idles while a group without one waits, and nothing is lost", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 8 }), fc.array(step), async (workers, steps) => {
      const shop = new Workshop(workers);
      const owed = new Set<string>();
      let seen = 0;
      const check = (): void => {
        const fresh = shop.taken.slice(seen);
        seen = shop.taken.length;
        for (const { group, key } of fresh) {
          expect(owed.delete(`${group}/${key}`), `${group}/${key} was not asked for`).toBe(true);
          // Its own worker included on one side only: it was free when it was handed out.
          const free = workers - shop.working.length;
          const least = shop.activeOf(group) - 1;
          expect(least).toBeLessThanOrEqual(free + fresh.length - 1);
        }
        const ids = shop.working.map(({ group, key }) => `${group}/${key}`);
        expect(new Set(ids).size).toBe(ids.length);
        if (shop.working.length === workers) return;
        const waiting = [...owed].filter((id) => !ids.includes(id));
        for (const id of waiting) {
          expect(shop.activeOf(id.split("/")[0] ?? ""), `${id} waits`).toBeGreaterThan(0);
        }
      };
      for (const move of steps) {
        if (move.type === "finish") await shop.finish(move.index);
        else {
          owed.add(`${move.group}/${move.key}`);
          await shop.add(move.group, move.key, { urgent: move.urgent });
        }
        check();
      }
      while (shop.working.length > 0) {
        await shop.finish();
        check();
      }
      expect([...owed]).toEqual([]);
      expect(shop.queue.depth).toBe(0);
    }),
  );
});
