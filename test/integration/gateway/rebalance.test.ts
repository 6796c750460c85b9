import { beforeAll, expect, test } from "vitest";
import { eventually } from "../fixtures.ts";
import { startEcho, startWire } from "./loopback.ts";
import { ANSWERED, type LongConnection, openLong, startClients } from "./steady-clients.ts";
import {
  type Identity,
  type Provider,
  createIdentity,
  renewedLeaf,
  startConsumer,
  startProvider,
} from "./two-gateways.ts";

let west: Identity;
let east: Identity;

beforeAll(async () => {
  [west, east] = await Promise.all([createIdentity("west"), createIdentity("east")]);
});

async function startReplica(): Promise<Provider> {
  const provider = await startProvider(west, [east]);
  provider.export("web", [await startEcho()]);
  return provider;
}

/** Replicas behind one address, as that of a Service: `led` says which of them gets the next connection. */
async function startReplicas(options: { sessionMaxAgeMs?: number; sessionsPerAddress?: number }) {
  const replicas = [await startReplica(), await startReplica()] as const;
  const led = { to: replicas[0] };
  const wire = await startWire(() => led.to.port);
  const consumer = startConsumer(east, options);
  consumer.link(west, wire.port);
  const port = await consumer.mirror("west", "web");
  await consumer.untilOpen(port);
  return { replicas, led, port };
}

async function untilSessions(provider: Provider, count: number): Promise<void> {
  await eventually(() => expect(provider.ingress.activeSessions).toBe(count), {
    describe: `${count} sessions`,
  });
}

test("sessions that all ended up at one replica spread again with age, and their connections go on", async () => {
  const { replicas, led, port } = await startReplicas({ sessionMaxAgeMs: 1000 });
  await untilSessions(replicas[0], 2);
  const long = await openLong(port);
  const clients = startClients(port);
  led.to = replicas[1];
  await untilSessions(replicas[1], 2);
  // The one that carries the long connection.
  await untilSessions(replicas[0], 1);
  expect(await long.echo("still")).toBe("still");
  long.socket.end();
  await untilSessions(replicas[0], 0);
  expect(new Set(await clients.stop())).toEqual(new Set([ANSWERED]));
});

test("with four old sessions that still carry something, age makes no fifth", async () => {
  const { replicas, port } = await startReplicas({ sessionMaxAgeMs: 100, sessionsPerAddress: 1 });
  const [replica] = replicas;
  const held: LongConnection[] = [];
  for (let count = 1; count <= 5; count += 1) {
    await untilSessions(replica, count);
    held.push(await openLong(port));
  }
  // Further ages pass.
  const sinceMs = performance.now();
  await eventually(() => expect(performance.now() - sinceMs).toBeGreaterThan(500), {
    describe: "half a second",
  });
  expect(replica.ingress.activeSessions).toBe(5);
  const accepted = await replica.accepted();
  for (const { socket } of held) socket.end();
  await eventually(async () => expect(await replica.accepted()).toBeGreaterThan(accepted), {
    describe: "a younger session, once old ones are gone",
  });
});

test("fifty connections, and every new one, outlast a renewal of the provider's certificate", async () => {
  const { replicas, port } = await startReplicas({});
  const [replica] = replicas;
  await untilSessions(replica, 2);
  const held = await Promise.all(Array.from({ length: 50 }, () => openLong(port)));
  const clients = startClients(port);
  replica.ingress.setLeaf(await renewedLeaf(west));
  await eventually(async () => expect(await replica.accepted()).toBeGreaterThanOrEqual(4), {
    describe: "both sessions were opened anew",
    timeoutMs: 15_000,
  });
  const echoes = await Promise.all(held.map(async (long) => await long.echo("still")));
  expect(new Set(echoes)).toEqual(new Set(["still"]));
  expect(new Set(await clients.stop())).toEqual(new Set([ANSWERED]));
});
