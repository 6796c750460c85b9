import { fork } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { ANNOTATIONS } from "../../../api/names.ts";
import { eventually } from "../fixtures.ts";
import type { Endings } from "./connect-loop.ts";
import { dialMirror, hear, heard, startBackend, startEcho } from "./loopback.ts";
import {
  type ConsumerOptions,
  type Identity,
  NOT_READY,
  createIdentity,
  startConsumer,
  startProvider,
} from "./two-gateways.ts";

let west: Identity;
let east: Identity;

beforeAll(async () => {
  [west, east] = await Promise.all([createIdentity("west"), createIdentity("east")]);
});

/** East linked to west's `shop/web` and `shop/other`, both open. */
async function linked(backend?: number, options?: ConsumerOptions) {
  const provider = await startProvider(west, [east]);
  const backends = [backend ?? (await startEcho())];
  provider.export("web", backends);
  provider.export("other", backends);
  const consumer = startConsumer(east, options);
  consumer.link(west, provider.port);
  const [web, other] = [
    await consumer.mirror("west", "web"),
    await consumer.mirror("west", "other"),
  ];
  await consumer.untilOpen(web);
  return { provider, consumer, web, other };
}

describe("a link whose sessions are up", () => {
  test("refuses on all of its mirrors from the moment its Link is not Ready, and what is open lives on", async () => {
    const { provider, consumer, web, other } = await linked();
    const open = await dialMirror(web);
    open.write("x");
    await once(open, "data");

    for (const status of ["False", "Unknown"] as const) {
      consumer.link(west, provider.port, { ready: { ...NOT_READY, status } });
      expect(consumer.egress.openPorts).toEqual([]);
      expect(await hear(web, "x")).toBe("ECONNREFUSED");
      expect(await hear(other, "x")).toBe("ECONNREFUSED");
      expect(provider.ingress.activeSessions).toBe(2);

      consumer.link(west, provider.port);
      expect(await hear(web, "x")).toBe("xend");
      expect(await hear(other, "x")).toBe("xend");
    }
    open.end("late");
    expect(await heard(open)).toBe("lateend");
  });

  test("refuses while its Link has no status yet", async () => {
    const { consumer, web } = await linked();
    const link = consumer.state.links.get("west");
    consumer.state.links.set("west", { metadata: { name: "west" }, spec: link?.spec });
    consumer.update();
    expect(await hear(web, "x")).toBe("ECONNREFUSED");
  });

  test("refuses on the mirror that is recorded as closed, and on no other", async () => {
    const { consumer, web, other } = await linked();
    const mirror = consumer.state.mirrors.get("shop/web-west");
    const annotations = mirror?.metadata.annotations ?? {};
    for (const state of ["closed", undefined]) {
      if (state === undefined) delete annotations[ANNOTATIONS.state];
      else annotations[ANNOTATIONS.state] = state;
      consumer.update();
      expect(consumer.egress.openPorts).toEqual([other]);
      expect(await hear(web, "x")).toBe("ECONNREFUSED");
      expect(await hear(other, "x")).toBe("xend");
    }
    annotations[ANNOTATIONS.state] = "open";
    consumer.update();
    expect(await hear(web, "x")).toBe("xend");
  });

  test("logs each transition once with its cause, and counts the ports it closed", async () => {
    const lines: string[] = [];
    const log = { write: (line: string) => void lines.push(line) };
    const { provider, consumer, web } = await linked(undefined, { log });
    consumer.link(west, provider.port, { ready: NOT_READY });
    consumer.link(west, provider.port, { ready: NOT_READY });
    expect(await consumer.registry.metrics()).toContain(
      'isthmus_gateway_closed_ports{link="west",reason="CredentialsRejected"} 2',
    );
    expect(await consumer.registry.metrics()).toContain(
      'isthmus_gateway_link_admitted{link="west"} 0',
    );
    expect(await consumer.registry.metrics()).toContain('isthmus_gateway_link_up{link="west"} 1');
    consumer.link(west, provider.port);
    expect(await consumer.registry.metrics()).toContain('isthmus_gateway_listeners{link="west"} 2');
    await consumer.untilOpen(web);
    const remote = `127.0.0.1:${provider.port}`;
    provider.ingress.destroy();
    await consumer.untilClosed(web);
    expect(await consumer.registry.metrics()).toContain(
      'isthmus_gateway_closed_ports{link="west",reason="NoSession"} 2',
    );

    const transitions = lines
      .map((line): { msg: string; cause: string; message: string } => JSON.parse(line))
      .filter(({ msg }) => msg.startsWith("link "));
    expect(transitions.map(({ msg, cause }) => `${msg}: ${cause}`)).toEqual([
      "link closed: NoSession",
      "link open: LinkReady",
      "link closed: CredentialsRejected",
      "link open: LinkReady",
      "link closed: NoSession",
    ]);
    expect(transitions[2]?.message).toBe(NOT_READY.message);
    expect(transitions[4]?.message).toContain(remote);
  });
});

test("when a listener closes, what waits to be accepted is reset, and nothing hangs", async () => {
  const backend = await startBackend((socket) => socket.end("hi"));
  const { provider, consumer, web } = await linked(backend);
  // The kernel completes handshakes by itself: these are never seen by us.
  const waiting = Array.from({ length: 50 }, (_, index) => hear(web, index % 2 ? "x" : undefined));
  await new Promise<void>((resolve) => process.nextTick(resolve));
  consumer.link(west, provider.port, { ready: NOT_READY });
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(["ECONNRESET"]));
});

test("clients that connect without a pause are answered, refused or reset while listeners close and open 50 times", async () => {
  const backend = await startBackend((socket) => socket.end("hi"));
  const { provider, consumer, web } = await linked(backend);
  const loop = fork(path.join(import.meta.dirname, "connect-loop.ts"), [String(web)]);
  onTestFinished(() => void loop.kill("SIGKILL"));
  const answered = async () => await streams(consumer.metrics.streams, "ended");
  for (let round = 0; round < 50; round += 1) {
    consumer.link(west, provider.port);
    const before = await answered();
    await eventually(async () => expect(await answered()).toBeGreaterThan(before + 8), {
      describe: "the loop is answered",
    });
    consumer.link(west, provider.port, { ready: NOT_READY });
    expect(await hear(web)).toBe("ECONNREFUSED");
  }
  loop.send("stop");
  const [endings]: Endings[] = await once(loop, "message");
  expect(Object.keys(endings ?? {}).toSorted()).toEqual(["ECONNREFUSED", "ECONNRESET", "hiend"]);
});

async function streams(
  counter: { get(): Promise<{ values: { value: number; labels: object }[] }> },
  result: string,
): Promise<number> {
  const { values } = await counter.get();
  return values
    .filter(({ labels }) => Reflect.get(labels, "result") === result)
    .reduce((sum, { value }) => sum + value, 0);
}
