import { expect, test } from "vitest";
import { systemClock } from "../../../api/clock.ts";
import type { ConfigMap } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { eventually } from "../fixtures.ts";
import { reflectorBench } from "./reflector-bench.ts";

const EXPIRED = {
  kind: "Status",
  apiVersion: "v1",
  status: "Failure",
  reason: "Expired",
  code: 410,
  message: "too old resource version",
};
const JSON_TYPE = { "content-type": "application/json" };

test("a reflector lists page by page, then follows every change in order", async () => {
  const bench = await reflectorBench();
  for (const name of ["a", "b", "c", "d", "e"]) await bench.put(name, "1");
  const reflector = await bench.startSynced({ pageSize: 2 });
  await bench.put("a", "2");
  await bench.remove("b");
  await bench.put("b", "3");
  expect(await bench.takeEvents()).toEqual([
    "apply a=1",
    "apply b=1",
    "apply c=1",
    "apply d=1",
    "apply e=1",
    "apply a=2",
    "delete b",
    "apply b=3",
  ]);
  const lists = bench.lists();
  expect(lists.map(({ query }) => query.get("limit"))).toEqual(["2", "2", "2"]);
  expect(lists.map(({ query }) => query.has("continue"))).toEqual([false, true, true]);
  expect(reflector.store.get(`${bench.namespace}/b`)?.data).toEqual({ value: "3" });
  expect(reflector.state).toBe("watching");
  expect(bench.states).toEqual(["listing", "watching"]);
});

test("a list that expires between its pages begins again and passes nothing on twice", async () => {
  const bench = await reflectorBench();
  for (const name of ["a", "b", "c"]) await bench.put(name, "1");
  bench.proxy.inject({
    match: ({ query }) => query.has("continue"),
    fault: { type: "respond", statusCode: 410, headers: JSON_TYPE, body: JSON.stringify(EXPIRED) },
  });
  await bench.startSynced({ pageSize: 2 });
  expect(await bench.takeEvents()).toEqual(["apply a=1", "apply b=1", "apply c=1"]);
});

test.each([
  {
    how: "with status 410",
    fault: { type: "respond", statusCode: 410, headers: JSON_TYPE, body: JSON.stringify(EXPIRED) },
  },
  {
    how: "with an ERROR event",
    fault: { type: "body", text: `${JSON.stringify({ type: "ERROR", object: EXPIRED })}\n` },
  },
] as const)(
  "a watch that expires $how is followed by a list that finds deletions and changes only",
  async ({ fault }) => {
    const bench = await reflectorBench();
    for (const name of ["kept", "changed", "deleted"]) await bench.put(name, "1");
    await bench.startSynced();
    await bench.takeEvents();
    const release = bench.proxy.inject({
      match: "watch",
      fault: { type: "drop" },
      times: Infinity,
    });
    bench.proxy.cutWatches();
    await bench.put("changed", "2");
    await bench.remove("deleted");
    await bench.put("new", "1");
    release();
    bench.proxy.inject({ match: "watch", fault });
    expect((await bench.takeEvents()).toSorted()).toEqual([
      "apply changed=2",
      "apply new=1",
      "delete deleted",
    ]);
    expect(bench.lists()).toHaveLength(2);
  },
);

test("a watch cut inside an event goes on from the last whole one: nothing lost, nothing doubled", async () => {
  const bench = await reflectorBench();
  await bench.put("a", "1");
  bench.proxy.inject({ match: "watch", fault: { type: "cut" }, times: 3 });
  await bench.startSynced();
  for (const value of ["2", "3", "4", "5"]) await bench.put("a", value);
  await bench.remove("a");
  expect(await bench.takeEvents()).toEqual([
    "apply a=1",
    "apply a=2",
    "apply a=3",
    "apply a=4",
    "apply a=5",
    "delete a",
  ]);
  expect(bench.lists()).toHaveLength(1);
  expect(bench.errors).toHaveLength(3);
});

test("a deletion while the server could not be reached is seen", async () => {
  const bench = await reflectorBench();
  await bench.put("a", "1");
  const reflector = await bench.startSynced();
  await bench.takeEvents();
  const release = bench.proxy.inject({
    match: () => true,
    fault: { type: "drop" },
    times: Infinity,
  });
  bench.proxy.cutWatches();
  await bench.remove("a");
  await eventually(() => expect(bench.errors.length).toBeGreaterThan(2), {
    describe: "three failures",
  });
  expect(reflector.store.keys()).toContain(`${bench.namespace}/a`);
  expect(reflector.state).toBe("backoff");
  expect(reflector.lastError).toMatchObject({ name: "KubeConnectionError" });
  release();
  expect(await bench.takeEvents()).toEqual(["delete a"]);
  expect(reflector.lastError).toBeUndefined();
});

test("a watch that falls silent is followed by a list, without counting as a failure", async () => {
  const bench = await reflectorBench();
  bench.proxy.inject({ match: "watch", fault: { type: "silence" } });
  await bench.startSynced({ idleDeadlineMs: 2000, clock: systemClock });
  await bench.put("a", "1");
  expect(await bench.takeEvents()).toEqual(["apply a=1"]);
  expect(bench.errors).toEqual([]);
  expect(bench.lists()).toHaveLength(2);
});

test("a watch that is not even answered is a timeout, then opened anew", async () => {
  const bench = await reflectorBench();
  bench.proxy.inject({ match: "watch", fault: { type: "hang" } });
  await bench.startSynced({ idleDeadlineMs: 1500 });
  await bench.put("a", "1");
  expect(await bench.takeEvents()).toEqual(["apply a=1"]);
  expect(bench.errors).toMatchObject([{ code: "WATCH_TIMEOUT", failure: "timeout" }]);
});

test("Retry-After is waited for, on a list and on a watch", async () => {
  const bench = await reflectorBench();
  const busy = {
    type: "respond",
    statusCode: 429,
    headers: { "retry-after": "7" },
    body: "",
  } as const;
  bench.proxy.inject({ match: "list", fault: busy });
  bench.proxy.inject({ match: "watch", fault: busy });
  await bench.startSynced();
  await bench.put("a", "1");
  expect(await bench.takeEvents()).toEqual(["apply a=1"]);
  expect(bench.waitsMs).toEqual([7000, 7000]);
});

test("failures of the server are retried after growing, random delays", async () => {
  const bench = await reflectorBench();
  await bench.put("a", "1");
  bench.proxy.inject({
    match: "list",
    fault: { type: "respond", statusCode: 500, body: "etcd is away" },
    times: 4,
  });
  await bench.startSynced({ random: () => 0.5 });
  expect(bench.waitsMs).toEqual([188, 375, 750, 1500]);
  expect(bench.errors).toMatchObject(Array.from({ length: 4 }, () => ({ statusCode: 500 })));
  expect(await bench.takeEvents()).toEqual(["apply a=1"]);
});

test("a watch that always ends at once is not reopened in a tight loop", async () => {
  const bench = await reflectorBench();
  bench.proxy.inject({ match: "watch", fault: { type: "body", text: "" }, times: 4 });
  await bench.startSynced({ random: () => 0 });
  expect(await bench.takeEvents()).toEqual([]);
  expect(bench.waitsMs).toEqual([125, 250, 500, 1000]);
});

test.each(["list", "watch"] as const)(
  "an HTML page with status 200 in place of a %s is an error that passes",
  async (verb) => {
    const bench = await reflectorBench();
    await bench.put("a", "1");
    const headers = { "content-type": "text/html" };
    const body = "<html>please log in</html>";
    bench.proxy.inject({ match: verb, fault: { type: "respond", statusCode: 200, headers, body } });
    await bench.startSynced();
    expect(await bench.takeEvents()).toEqual(["apply a=1"]);
    expect(bench.errors).toMatchObject([{ code: "INVALID_RESPONSE" }]);
  },
);

test("a line that is no event, and one without end, are errors that pass", async () => {
  const bench = await reflectorBench();
  await bench.put("a", "1");
  bench.proxy.inject({
    match: "watch",
    fault: { type: "body", text: '{"type":"ADDED","object":{}}\n' },
  });
  bench.proxy.inject({
    match: "watch",
    fault: { type: "body", text: '{"type":"ADDED","object":' },
  });
  await bench.startSynced();
  expect(await bench.takeEvents()).toEqual(["apply a=1"]);
  expect(bench.errors).toMatchObject([{ code: "INVALID_RESPONSE" }, { code: "TRUNCATED" }]);
});

test("a bookmark moves the version a watch goes on from, and is no event", async () => {
  const bench = await reflectorBench();
  await bench.startSynced();
  const { resourceVersion } = await bench.admin.list(RESOURCES.configMaps, { limit: 1 });
  const object = { kind: "ConfigMap", metadata: { resourceVersion } };
  const text = `${JSON.stringify({ type: "BOOKMARK", object })}\n`;
  bench.proxy.inject({ match: "watch", fault: { type: "body", text } });
  bench.proxy.cutWatches();
  await bench.put("a", "1");
  expect(await bench.takeEvents()).toEqual(["apply a=1"]);
  const watches = bench.proxy.requests.filter(({ verb }) => verb === "watch");
  expect(watches.map(({ query }) => query.get("allowWatchBookmarks"))).toEqual([
    "true",
    "true",
    "true",
  ]);
  expect(watches.at(-1)?.query.get("resourceVersion")).toBe(resourceVersion);
});

test("an object its transform drops is deleted, and one it fails on stays as it was", async () => {
  const bench = await reflectorBench();
  for (const name of ["a", "b"]) await bench.put(name, "keep");
  await bench.startSynced({
    transform: (raw) => {
      const object: ConfigMap = raw;
      if (object.data?.["value"] === "fail") throw new Error("not understood");
      return object.data?.["value"] === "drop" ? undefined : object;
    },
  });
  await bench.put("a", "drop");
  await bench.put("b", "fail");
  await bench.put("a", "keep");
  expect(await bench.takeEvents()).toEqual([
    "apply a=keep",
    "apply b=keep",
    "delete a",
    "apply b=keep",
    "apply a=keep",
  ]);
});

test("a listener that throws neither ends the watch nor starves another", async () => {
  const bench = await reflectorBench();
  const reflector = await bench.startSynced();
  reflector.onEvent(() => {
    throw new Error("a bug");
  });
  const seen: string[] = [];
  reflector.onEvent(({ key }) => seen.push(key));
  await bench.put("a", "1");
  await bench.put("b", "1");
  expect(await bench.takeEvents()).toEqual(["apply a=1", "apply b=1"]);
  expect(seen.slice(0, 2)).toEqual([`${bench.namespace}/a`, `${bench.namespace}/b`]);
});

test("a stopped reflector has ended its watch and tells those who wait for it", async () => {
  const bench = await reflectorBench();
  bench.proxy.inject({ match: "list", fault: { type: "hang" } });
  const reflector = await bench.start();
  const synced = reflector.waitForSync(new AbortController().signal);
  const [waited] = await Promise.allSettled([synced, reflector.stop()]);
  expect(waited).toMatchObject({ status: "rejected", reason: { message: "test was stopped" } });
  await reflector.stop();
  expect(reflector.state).toBe("stopped");
  expect(reflector.synced).toBe(false);
});
