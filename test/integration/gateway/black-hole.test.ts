import { once } from "node:events";
import type { Socket } from "node:net";
import { beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../fixtures.ts";
import {
  dialMirror,
  freeEgressPort,
  hear,
  hearWithin,
  heard,
  startBackend,
  startEcho,
  startWire,
} from "./loopback.ts";
import {
  type Consumer,
  type ConsumerOptions,
  type Identity,
  type ProviderOptions,
  createIdentity,
  renewedLeaf,
  startConsumer,
  startProvider,
} from "./two-gateways.ts";

/** PINGs find death within 3 s by default; the rest is for a machine with other things to do. */
const BOUND_MS = 3000 + 4000;
const QUICK = { times: { pingIntervalMs: 200, pingTimeoutMs: 1000 } };

let west: Identity;
let east: Identity;

beforeAll(async () => {
  [west, east] = await Promise.all([createIdentity("west"), createIdentity("east")]);
});

async function startWest(options?: ProviderOptions, backend?: number) {
  const provider = await startProvider(west, [east], options);
  provider.export("web", [backend ?? (await startEcho())]);
  return provider;
}

/** East linked to this port of loopback; `port` is where east reaches `shop/web`. */
async function linkEast(
  to: number,
  consumerOptions?: ConsumerOptions,
  options?: Parameters<Consumer["link"]>[2],
) {
  const consumer = startConsumer(east, consumerOptions);
  consumer.link(west, to, options);
  const port = await consumer.mirror("west", "web");
  await consumer.untilOpen(port);
  return { consumer, port };
}

async function dialAndUse(port: number): Promise<Socket> {
  const socket = await dialMirror(port);
  socket.write("x");
  await once(socket, "data");
  return socket;
}

/** Clients that come one after another without waiting for each other's end, until the first is refused. */
async function endingsUntilRefused(port: number): Promise<Set<string>> {
  const endings: Promise<string>[] = [];
  await eventually(
    async () => {
      const words = hearWithin(BOUND_MS, port, "x");
      const silent = hearWithin(BOUND_MS, port);
      endings.push(words, silent);
      const soon = await Promise.race([words, new Promise((resolve) => setTimeout(resolve, 20))]);
      expect(soon).toBe("ECONNREFUSED");
    },
    { describe: "a client is refused" },
  );
  return new Set(await Promise.all(endings));
}

describe("when the remote gateway is black-holed", () => {
  test("every connection ends with a reset, those that come meanwhile too, and then all are refused", async () => {
    const provider = await startWest();
    const wire = await startWire(() => provider.port);
    const { port } = await linkEast(wire.port);
    const open = [await dialAndUse(port), await dialAndUse(port)];
    const endings = open.map((socket) => heard(socket));
    wire.cut();
    expect(await endingsUntilRefused(port)).toEqual(new Set(["ECONNRESET", "ECONNREFUSED"]));
    expect(await Promise.all(endings)).toEqual(["ECONNRESET", "ECONNRESET"]);
  });

  test("by one of its addresses, only that one's streams are reset, and every new client is answered", async () => {
    const provider = await startWest();
    const port = await freeEgressPort();
    const wires = await Promise.all(
      ["127.0.0.1", "127.0.0.2"].map((host) => startWire(() => provider.port, { host, port })),
    );
    const addresses = ["127.0.0.1", "127.0.0.2"];
    const linked = await linkEast(port, QUICK, { addresses });
    await eventually(() => expect(provider.ingress.activeSessions).toBe(4), {
      describe: "sessions to both addresses",
    });
    const sockets = await Promise.all(Array.from({ length: 20 }, () => dialAndUse(linked.port)));
    const endings = sockets.map((socket) => heard(socket));

    wires[0]?.cut();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => hearWithin(BOUND_MS, linked.port, "x")),
    );
    expect(new Set(answers)).toEqual(new Set(["xend"]));
    expect(linked.consumer.egress.openPorts).toEqual([linked.port]);
    for (const socket of sockets) socket.end("late");
    const ends = await Promise.all(endings);
    expect(new Set(ends)).toEqual(new Set(["lateend", "ECONNRESET"]));
  });

  test("streams of sessions that are being replaced are reset, too", async () => {
    const provider = await startWest();
    const wire = await startWire(() => provider.port);
    const { consumer, port } = await linkEast(wire.port, QUICK);
    const ending = heard(await dialAndUse(port));
    consumer.state.leaf = await renewedLeaf(east);
    consumer.update();
    await eventually(() => expect(provider.ingress.activeSessions).toBe(3), {
      describe: "two new sessions, and the old one that carries a stream",
    });
    wire.cut();
    expect(await ending).toBe("ECONNRESET");
  });

  test("while it drains, what it still carries is reset", async () => {
    const provider = await startWest();
    const wire = await startWire(() => provider.port);
    const { port } = await linkEast(wire.port, QUICK);
    const ending = heard(await dialAndUse(port));
    await provider.ingress.drain();
    wire.cut();
    expect(await ending).toBe("ECONNRESET");
  });
});

test("when the consumer is black-holed, its connections to endpoints are reset", async () => {
  const endings: Promise<string>[] = [];
  const backend = await startBackend((socket) => {
    socket.write("hello");
    endings.push(heard(socket));
  });
  const limits = { peerPingIntervalMs: 100, peerPingTimeoutMs: 300 };
  const provider = await startWest({ limits }, backend);
  const wire = await startWire(() => provider.port);
  const { port } = await linkEast(wire.port);
  await once(await dialMirror(port), "data");
  wire.cut();
  expect(await Promise.all(endings)).toEqual(["ECONNRESET"]);
  await eventually(() => expect(provider.ingress.activeSessions).toBe(0), {
    describe: "no session is left",
  });
});

describe.each(["FIN", "RST"] as const)("when the remote gateway is killed (%s)", (how) => {
  test("what is open is reset at once, and every client after that is refused", async () => {
    const provider = await startWest();
    const wire = await startWire(() => provider.port);
    // Only the end of the connections can tell.
    const { consumer, port } = await linkEast(wire.port, { times: { pingTimeoutMs: 60_000 } });
    const ending = heard(await dialAndUse(port));
    wire.kill(how);
    expect(await ending).toBe("ECONNRESET");
    await consumer.untilClosed(port);
    expect(await hear(port, "x")).toBe("ECONNREFUSED");
  });
});
