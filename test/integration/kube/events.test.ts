import { randomUUID } from "node:crypto";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { type Clock, systemClock } from "../../../api/clock.ts";
import type { ConfigMap } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { KubeClient } from "../../../kube/client/client.ts";
import {
  type EventContent,
  EventRecorder,
  type KubeEvent,
  type ObjectReference,
} from "../../../kube/events.ts";
import { createLogger } from "../../../kube/logger.ts";
import { declareKubeMetrics } from "../../../kube/metrics.ts";
import { adminClient, clientThrough, faultProxy, testNamespace } from "../fixtures.ts";

const CONTENT: EventContent = {
  type: "Warning",
  reason: "NameCollision",
  action: "Mirror",
  note: "Service shop/web-west exists",
};

function recorder(client: KubeClient, clock: Clock = systemClock, sendTimeoutMs?: number) {
  const metrics = declareKubeMetrics(new Registry());
  const events = new EventRecorder({
    client,
    reportingController: "isthmus.dev/controller",
    reportingInstance: "isthmus-controller-0",
    clock,
    ...(sendTimeoutMs !== undefined && { sendTimeoutMs }),
    logger: createLogger({ name: "test", level: "silent" }),
    metrics,
  });
  const outcomes = async (): Promise<Record<string, number>> => {
    const { values } = await metrics.eventsSent.get();
    return Object.fromEntries(values.map(({ labels, value }) => [labels.outcome, value]));
  };
  return { events, outcomes };
}

async function subject(client: KubeClient): Promise<ObjectReference & { namespace: string }> {
  const namespace = await testNamespace(client);
  const { metadata } = await client.create<ConfigMap>(RESOURCES.configMaps, {
    metadata: { namespace, name: "subject" },
  });
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    namespace,
    name: "subject",
    uid: metadata.uid ?? "",
  };
}

async function eventsAbout({ name }: ObjectReference, namespace: string): Promise<KubeEvent[]> {
  const { items } = await adminClient("west").list<KubeEvent>(RESOURCES.events, { namespace });
  return items.filter(({ regarding }) => regarding?.name === name);
}

test("an event says what happened to which object, and who says so", async () => {
  const client = adminClient("west");
  const regarding = await subject(client);
  const { events } = recorder(client);
  events.record(regarding, CONTENT);
  await events.flush();
  expect(await eventsAbout(regarding, regarding.namespace)).toMatchObject([
    {
      ...CONTENT,
      regarding,
      reportingController: "isthmus.dev/controller",
      reportingInstance: "isthmus-controller-0",
      eventTime: expect.stringMatching(/\.\d{6}Z$/),
    },
  ]);
});

test("the same event again becomes a series of the one there is; another is an event of its own", async () => {
  const client = adminClient("west");
  const regarding = await subject(client);
  const { events, outcomes } = recorder(client);
  for (let count = 0; count < 3; count += 1) events.record(regarding, CONTENT);
  events.record(regarding, { ...CONTENT, note: "another" });
  await events.flush();
  events.record({ ...regarding, resourceVersion: "12345" }, CONTENT);
  await events.flush();
  const seen = await eventsAbout(regarding, regarding.namespace);
  expect(
    seen
      .map(({ note, series }) => [note, series?.count])
      .toSorted((a, b) => String(a).localeCompare(String(b))),
  ).toEqual([
    ["another", undefined],
    [CONTENT.note, 4],
  ]);
  expect(await outcomes()).toMatchObject({ created: 2, series: 2 });
});

test("an event about an object without a namespace is in the namespace default", async () => {
  const client = adminClient("west");
  const regarding = { apiVersion: "v1", kind: "Namespace", name: await testNamespace(client) };
  const { events } = recorder(client);
  events.record(regarding, CONTENT);
  await events.flush();
  expect(await eventsAbout(regarding, "default")).toHaveLength(1);
});

test("a note is cut to what the server accepts, at a character", async () => {
  const client = adminClient("west");
  const regarding = await subject(client);
  const { events } = recorder(client);
  events.record(regarding, { ...CONTENT, note: "größe ".repeat(300) });
  await events.flush();
  const [event] = await eventsAbout(regarding, regarding.namespace);
  expect(Buffer.byteLength(event?.note ?? "")).toBeLessThanOrEqual(1024);
  expect(event?.note).toMatch(/^(größe )+g?r?ö?ß?e?…$/);
});

test("a failure that passes is tried again, one that stays is counted and forgotten", async () => {
  const admin = adminClient("west");
  const regarding = await subject(admin);
  const proxy = await faultProxy("west");
  const clock: Clock = {
    ...systemClock,
    sleep: async (_durationMs, signal) => await systemClock.sleep(1, signal),
    nowMs: () => performance.now() * 10_000,
  };
  const { events, outcomes } = recorder(clientThrough(proxy), clock);
  proxy.inject({ match: ({ method }) => method === "POST", fault: { type: "drop" }, times: 2 });
  events.record(regarding, CONTENT);
  await events.flush();
  expect(await outcomes()).toEqual({ created: 1 });
  events.record({ ...regarding, namespace: "does-not-exist" }, CONTENT);
  await events.flush();
  expect(await outcomes()).toEqual({ created: 1, failed: 1 });
});

test("an Event that is gone from the server is begun anew", async () => {
  const client = adminClient("west");
  const regarding = await subject(client);
  const { events } = recorder(client);
  events.record(regarding, CONTENT);
  await events.flush();
  const [first] = await eventsAbout(regarding, regarding.namespace);
  const { namespace } = regarding;
  await client.remove(RESOURCES.events, { namespace, name: first?.metadata.name ?? "" });
  events.record(regarding, CONTENT);
  await events.flush();
  const [second] = await eventsAbout(regarding, namespace);
  expect(second?.metadata.name).toBeDefined();
  expect(second?.metadata.name).not.toBe(first?.metadata.name);
});

test("more events than can be held are dropped and counted; recording never fails", async () => {
  const proxy = await faultProxy("west");
  proxy.inject({ match: () => true, fault: { type: "hang" }, times: Infinity });
  const { events, outcomes } = recorder(clientThrough(proxy));
  for (let number = 0; number < 1200; number += 1) {
    events.record(
      { apiVersion: "v1", kind: "Service", namespace: "x", name: `s${number}` },
      CONTENT,
    );
  }
  expect((await outcomes())["dropped"]).toBe(200);
});

test("an API server that does not answer holds up neither a flush nor those who come after", async () => {
  const proxy = await faultProxy("west");
  const { events } = recorder(clientThrough(proxy), systemClock, 1500);
  const release = proxy.inject({ match: () => true, fault: { type: "hang" }, times: 1 });
  const regarding = { apiVersion: "v1", kind: "Namespace", name: `slow-${randomUUID()}` };
  events.record(regarding, CONTENT);
  events.record(regarding, { ...CONTENT, note: "another" });
  await events.flush(100);
  expect(await eventsAbout(regarding, "default")).toEqual([]);
  await expect
    .poll(async () => (await eventsAbout(regarding, "default")).length, { timeout: 15_000 })
    .toBe(2);
  release();
});
