import { beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../fixtures.ts";
import { freeEgressPort, hear, startEcho, startWire } from "./loopback.ts";
import { ANSWERED, openLong, startClients } from "./steady-clients.ts";
import {
  type Consumer,
  type ConsumerOptions,
  type Identity,
  type Provider,
  type ProviderOptions,
  createIdentity,
  startConsumer,
  startProvider,
} from "./two-gateways.ts";

const QUICK = { times: { pingIntervalMs: 200, pingTimeoutMs: 600 } };
/** Clients after which it must show whether a replica gets its share. */
const CLIENTS = 100;

let west: Identity;
let east: Identity;

beforeAll(async () => {
  [west, east] = await Promise.all([createIdentity("west"), createIdentity("east")]);
});

/** A replica of west's gateway. */
async function startReplica(options?: ProviderOptions): Promise<Provider> {
  const provider = await startProvider(west, [east], options);
  provider.export("web", [await startEcho()]);
  return provider;
}

async function linkEast(
  to: number,
  addresses: string[],
  options: ConsumerOptions = QUICK,
): Promise<{ consumer: Consumer; port: number }> {
  const consumer = startConsumer(east, options);
  consumer.link(west, to, { addresses });
  return { consumer, port: await consumer.mirror("west", "web") };
}

async function untilSessions(provider: Provider, count: number): Promise<void> {
  await eventually(() => expect(provider.ingress.activeSessions).toBe(count), {
    describe: `${count} sessions`,
  });
}

/** Streams that a replica has finished. */
async function served(provider: Provider): Promise<number> {
  const metric = provider.registry.getSingleMetric("isthmus_gateway_streams_total");
  const { values = [] } = (await metric?.get()) ?? {};
  return values.reduce((sum, { value }) => sum + value, 0);
}

/** How many of a number of clients, and of others that call meanwhile, each replica serves. */
async function shares(port: number, replicas: readonly Provider[]): Promise<number[]> {
  const before = await Promise.all(replicas.map(served));
  const answers = await Promise.all(Array.from({ length: CLIENTS }, () => hear(port, "x")));
  expect(new Set(answers)).toEqual(new Set([ANSWERED]));
  const total = before.reduce((sum, count) => sum + count, CLIENTS);
  await eventually(
    async () => {
      const now = await Promise.all(replicas.map(served));
      expect(now.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(total);
    },
    { describe: "every stream was counted" },
  );
  const after = await Promise.all(replicas.map(served));
  return after.map((count, index) => count - (before[index] ?? 0));
}

describe.each(["is killed", "is black-holed"] as const)("when one of two addresses %s", (fault) => {
  test("no client notices after it was found, and it gets its share once it is back", async () => {
    const replicas = [await startReplica(), await startReplica()] as const;
    const remotePort = await freeEgressPort();
    const [wire] = await Promise.all([
      startWire(() => replicas[0].port, { host: "127.0.0.1", port: remotePort }),
      startWire(() => replicas[1].port, { host: "127.0.0.2", port: remotePort }),
    ]);
    const { consumer, port } = await linkEast(remotePort, ["127.0.0.1", "127.0.0.2"]);
    await untilSessions(replicas[0], 2);
    await untilSessions(replicas[1], 2);
    await consumer.untilOpen(port);
    expect(Math.min(...(await shares(port, replicas)))).toBeGreaterThan(CLIENTS / 10);

    const clients = startClients(port);
    if (fault === "is killed") wire.kill("RST");
    else wire.cut();
    await eventually(
      async () => {
        const { values } = await consumer.metrics.sessions.get();
        const live = values.find(
          ({ labels }) =>
            labels.state === "live" && labels.address === `127.0.0.1:${String(remotePort)}`,
        );
        expect(live?.value).toBe(0);
      },
      { describe: "the dead address was found" },
    );
    clients.endings();
    const answers = await Promise.all(Array.from({ length: CLIENTS }, () => hear(port, "x")));
    expect(new Set(answers)).toEqual(new Set([ANSWERED]));

    wire.mend();
    await eventually(
      async () => {
        const [share = 0] = await shares(port, replicas);
        expect(share).toBeGreaterThan(CLIENTS / 10);
      },
      { describe: "the address that came back gets its share", timeoutMs: 15_000 },
    );
    expect(new Set(await clients.stop())).toEqual(new Set([ANSWERED]));
  });
});

test("what was asked of black-holed addresses, all but one, is asked of the one that answers", async () => {
  const provider = await startReplica();
  const hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"];
  const remotePort = await freeEgressPort();
  const wires = await Promise.all(
    hosts.map((host) => startWire(() => provider.port, { host, port: remotePort })),
  );
  const { port } = await linkEast(remotePort, hosts);
  await untilSessions(provider, 8);
  for (const wire of wires.slice(1)) wire.cut();
  const answers = await Promise.all(Array.from({ length: 50 }, () => hear(port, "x")));
  expect(new Set(answers)).toEqual(new Set([ANSWERED]));
});

describe("while a Link is changed, no client is refused and no connection is cut", () => {
  test("to another port and back to front", async () => {
    const [before, after] = [await startReplica(), await startReplica()];
    const { consumer, port } = await linkEast(before.port, ["127.0.0.1"]);
    await consumer.untilOpen(port);
    const long = await openLong(port);
    const clients = startClients(port);

    consumer.link(west, after.port, { addresses: ["127.0.0.1"] });
    expect(consumer.egress.openPorts).toEqual([port]);
    await untilSessions(after, 2);
    // The connection that is open keeps its session.
    await untilSessions(before, 1);
    expect(await long.echo("still")).toBe("still");

    const accepted = await after.accepted();
    consumer.link(west, after.port, { addresses: ["127.0.0.1", "127.0.0.9"] });
    consumer.link(west, after.port, { addresses: ["127.0.0.9", "127.0.0.1"] });
    expect(await hear(port, "x")).toBe(ANSWERED);
    expect(await after.accepted()).toBe(accepted);
    expect(await long.echo("yet")).toBe("yet");
    expect(new Set(await clients.stop())).toEqual(new Set([ANSWERED]));
    // What counts by address ends with it, although a session there still lives.
    expect(await consumer.registry.metrics()).not.toContain(`:${before.port}"`);
  });

  test("to an address where nobody answers, until the controller closes it", async () => {
    const provider = await startReplica();
    const { consumer, port } = await linkEast(provider.port, ["127.0.0.1"]);
    await consumer.untilOpen(port);
    consumer.link(west, await freeEgressPort(), { addresses: ["127.0.0.1"] });
    await eventually(
      async () => {
        const { values } = await consumer.metrics.sessionFailures.get();
        expect(values.length).toBeGreaterThan(0);
      },
      { describe: "the new address was tried" },
    );
    expect(await hear(port, "x")).toBe(ANSWERED);
  });

  test("in how it is probed", async () => {
    const provider = await startReplica();
    const { consumer, port } = await linkEast(provider.port, ["127.0.0.1"]);
    await consumer.untilOpen(port);
    await untilSessions(provider, 2);
    const long = await openLong(port);
    const clients = startClients(port);
    consumer.link(west, provider.port, { probe: { periodSeconds: 2, failureThreshold: 5 } });
    await eventually(async () => expect(await provider.accepted()).toBe(4), {
      describe: "sessions with the new times",
    });
    await untilSessions(provider, 3);
    expect(await long.echo("still")).toBe("still");
    expect(new Set(await clients.stop())).toEqual(new Set([ANSWERED]));
  });
});

test("the streams and the bytes of each address are counted, while they are open", async () => {
  const provider = await startReplica();
  const { consumer, port } = await linkEast(provider.port, ["127.0.0.1"]);
  await consumer.untilOpen(port);
  const long = await openLong(port);
  const text = "x".repeat(1000);
  for (let count = 0; count < 10; count += 1) expect(await long.echo(text)).toBe(text);
  const { addressStreams, addressBytes } = consumer.metrics;
  const labels = { link: "west", address: `127.0.0.1:${String(provider.port)}` };
  await eventually(
    async () => {
      expect((await addressStreams.get()).values).toMatchObject([{ labels, value: 1 }]);
      const { values } = await addressBytes.get();
      expect(values.map((series) => series.labels["direction"])).toEqual(["toRemote", "toLocal"]);
      for (const { value } of values) expect(value).toBeGreaterThan(10 * text.length);
    },
    { describe: "one stream and its bytes" },
  );
});

test("a gateway is reached at an IPv6 address", async () => {
  const provider = await startReplica({ host: "::1" });
  const { consumer, port } = await linkEast(provider.port, ["::1"]);
  await consumer.untilOpen(port);
  expect(await hear(port, "x")).toBe(ANSWERED);
});

describe("a gateway with a DNS name", () => {
  test("has sessions at all of its addresses, of both families, as they come and go", async () => {
    const remotePort = await freeEgressPort();
    const first = await startReplica({ host: "127.0.0.1", port: remotePort });
    const second = await startReplica({ host: "::1", port: remotePort });
    let answer: readonly string[] = ["127.0.0.1"];
    const names = {
      resolve: (name: string) =>
        name === "gateway.west.example" && answer.length > 0
          ? Promise.resolve(answer)
          : Promise.reject(new Error("no such name")),
      intervalMs: 100,
    };
    const { consumer, port } = await linkEast(remotePort, ["gateway.west.example"], {
      ...QUICK,
      names,
    });
    await consumer.untilOpen(port);
    await untilSessions(first, 2);
    const long = await openLong(port);
    const clients = startClients(port);

    answer = ["127.0.0.1", "::1"];
    await untilSessions(second, 2);
    expect(Math.min(...(await shares(port, [first, second])))).toBeGreaterThan(0);
    answer = ["::1"];
    await untilSessions(first, 1);
    answer = [];
    expect(await long.echo("still")).toBe("still");
    long.socket.end();
    await untilSessions(first, 0);
    expect(await hear(port, "x")).toBe(ANSWERED);
    answer = ["127.0.0.1"];
    await untilSessions(first, 2);
    await untilSessions(second, 0);
    expect(new Set(await clients.stop())).toEqual(new Set([ANSWERED]));
  });

  test("that does not resolve is closed until it does", async () => {
    const provider = await startReplica();
    let answer: Promise<string[]> = Promise.reject(new Error("no such name"));
    answer.catch(() => undefined);
    const names = { resolve: () => answer, intervalMs: 100 };
    const { consumer, port } = await linkEast(provider.port, ["gateway.west.example"], { names });
    await eventually(() => expect(consumer.egress.untriedLinks).toEqual([]), {
      describe: "the name was looked up",
    });
    expect(await hear(port, "x")).toBe("ECONNREFUSED");
    answer = Promise.resolve(["127.0.0.1"]);
    await consumer.untilOpen(port);
    expect(await hear(port, "x")).toBe(ANSWERED);
  });
});
