import { expect, test } from "vitest";
import { systemClock } from "../../../api/clock.ts";
import { clientThrough, eventually } from "../fixtures.ts";
import { reflectorBench } from "./reflector-bench.ts";

const JSON_TYPE = { "content-type": "application/json" };
const EXPIRED = JSON.stringify({ kind: "Status", reason: "Expired", code: 410 });
const AHEAD = 1_000_000;

/** Versions on their way to the client are those of a later time, until etcd "is restored". */
const LATER_VERSIONS = {
  type: "edit",
  query: (query: URLSearchParams): void => {
    const version = Number(query.get("resourceVersion") ?? "0");
    if (version > AHEAD) query.set("resourceVersion", String(version - AHEAD));
  },
  json: (text: string): string =>
    text.replaceAll(
      /"resourceVersion":"(\d+)"/g,
      (_all, version: string) => `"resourceVersion":"${Number(version) + AHEAD}"`,
    ),
} as const;

test("after etcd was restored from an older backup the older state is the truth, and changes arrive again", async () => {
  const bench = await reflectorBench();
  for (const name of ["lost", "same"]) await bench.put(name, "1");
  const restore = bench.proxy.inject({ match: () => true, fault: LATER_VERSIONS, times: Infinity });
  await bench.startSynced();
  await bench.takeEvents();
  const away = bench.proxy.inject({ match: () => true, fault: { type: "drop" }, times: Infinity });
  restore();
  bench.proxy.cutWatches();
  await bench.remove("lost");
  away();
  // Their versions went back, so that nothing proves them to be as they were.
  const events = await bench.takeEvents();
  expect(events).toEqual(["delete lost", "apply same=1"]);
  await bench.put("same", "2");
  expect(await bench.takeEvents()).toEqual(["apply same=2"]);
});

test("watches that always expire bring lists with growing pauses, not one after the other", async () => {
  const bench = await reflectorBench();
  await bench.put("a", "1");
  const release = bench.proxy.inject({
    match: "watch",
    fault: { type: "respond", statusCode: 410, headers: JSON_TYPE, body: EXPIRED },
    times: Infinity,
  });
  await bench.start({ random: () => 1 });
  await eventually(() => expect(bench.waitsMs.length).toBeGreaterThan(7), { describe: "8 waits" });
  expect(Math.min(...bench.waitsMs)).toBeGreaterThan(3000);
  expect(bench.waitsMs.slice(5, 8)).toEqual([8000, 10_000, 10_000]);
  release();
  await bench.put("a", "2");
  expect((await bench.takeEvents()).at(-1)).toBe("apply a=2");
});

test("pages that always expire before the next are given up for one list of everything", async () => {
  const bench = await reflectorBench();
  for (const name of ["a", "b", "c"]) await bench.put(name, "1");
  bench.proxy.inject({
    match: ({ query }) => query.has("continue"),
    fault: { type: "respond", statusCode: 410, headers: JSON_TYPE, body: EXPIRED },
    times: Infinity,
  });
  await bench.startSynced({ pageSize: 2 });
  expect(await bench.takeEvents()).toEqual(["apply a=1", "apply b=1", "apply c=1"]);
  expect(bench.lists().map(({ query }) => query.get("limit"))).toEqual(["2", "2", null]);
});

test("a page that the server refuses is not asked for again and again: the list begins anew", async () => {
  const bench = await reflectorBench();
  for (const name of ["a", "b", "c"]) await bench.put(name, "1");
  const body = JSON.stringify({ kind: "Status", reason: "BadRequest", code: 400 });
  bench.proxy.inject({
    match: ({ query }) => query.has("continue"),
    fault: { type: "respond", statusCode: 400, headers: JSON_TYPE, body },
  });
  await bench.startSynced({ pageSize: 2 });
  const continued = bench.lists().map(({ query }) => query.has("continue"));
  expect(continued).toEqual([false, true, false, true]);
});

test("objects too large for one answer are asked for in smaller pages", async () => {
  const bench = await reflectorBench((proxy) => clientThrough(proxy, { maxResponseBytes: 60_000 }));
  const names = ["a", "b", "c", "d", "e"];
  for (const name of names) await bench.put(name, "x".repeat(20_000));
  const reflector = await bench.startSynced({ pageSize: 5 });
  expect(reflector.store.size).toBe(5);
  expect(bench.lists().map(({ query }) => query.get("limit"))).toEqual(["5", "2", "2", "2"]);
});

test("a list without end is given up and says so; nothing of it is kept", async () => {
  const bench = await reflectorBench();
  await bench.put("a", "1");
  const release = bench.proxy.inject({
    match: "list",
    fault: {
      type: "edit",
      query: (query) => query.delete("continue"),
      json: (text) => text.replace('"metadata":{', '"metadata":{"continue":"again",'),
    },
    times: Infinity,
  });
  const reflector = await bench.start({ pageSize: 2, bounds: { maxPages: 20 } });
  await eventually(() => expect(bench.errors.length).toBeGreaterThan(0), {
    describe: "the list is given up",
  });
  expect(bench.errors[0]).toMatchObject({ code: "LIST_TOO_LARGE", failure: "protocol" });
  expect(bench.lists().length).toBeGreaterThanOrEqual(20);
  expect(reflector.synced).toBe(false);
  expect(reflector.store.size).toBe(0);
  release();
  await eventually(() => expect(reflector.store.size).toBe(1), { describe: "the real list" });
});

test.each<[string, { maxObjects?: number; maxBytes?: number }]>([
  ["objects", { maxObjects: 2 }],
  ["bytes", { maxBytes: 300 }],
])("a list of more %s than may be kept is an error", async (_what, bounds) => {
  const bench = await reflectorBench();
  for (const name of ["a", "b", "c"]) await bench.put(name, "1");
  const reflector = await bench.start({ bounds });
  await eventually(() => expect(reflector.lastError).toMatchObject({ code: "LIST_TOO_LARGE" }), {
    describe: "the error",
  });
  expect(reflector.store.size).toBe(0);
});

test("what is not kept does not count against the bounds", async () => {
  const bench = await reflectorBench();
  for (const name of ["a", "b", "c"]) await bench.put(name, "1");
  const reflector = await bench.startSynced({
    bounds: { maxObjects: 1 },
    transform: (raw) => (raw.metadata.name === "b" ? raw : undefined),
  });
  expect(reflector.store.size).toBe(1);
});

test("more objects over a watch than may be kept are an error too", async () => {
  const bench = await reflectorBench();
  const reflector = await bench.startSynced({ bounds: { maxObjects: 2 } });
  for (const name of ["a", "b", "c"]) await bench.put(name, "1");
  await eventually(() => expect(reflector.lastError).toMatchObject({ code: "LIST_TOO_LARGE" }), {
    describe: "the error",
  });
  expect(reflector.store.size).toBe(2);
  await bench.remove("c");
  await eventually(() => expect(reflector.state).toBe("watching"), { describe: "it goes on" });
});

test("an event that trickles in for ever is given up at the idle deadline", async () => {
  const bench = await reflectorBench();
  bench.proxy.inject({
    match: "watch",
    fault: { type: "trickle", text: `{"type":"ADDED"${" ".repeat(10_000)}`, everyMs: 20 },
  });
  await bench.startSynced({ idleDeadlineMs: 1500, clock: systemClock });
  await bench.put("a", "1");
  expect(await bench.takeEvents()).toEqual(["apply a=1"]);
});
