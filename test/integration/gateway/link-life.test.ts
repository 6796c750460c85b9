import { once } from "node:events";
import { beforeAll, describe, expect, test } from "vitest";
import { gatewayIdentity } from "../../../api/names.ts";
import { createAuthority, issueLeaf } from "../../../pki/authority.ts";
import { appendToBundle } from "../../../pki/trust.ts";
import { eventually } from "../fixtures.ts";
import { dialMirror, hear, heard, startEcho, startWire } from "./loopback.ts";
import {
  type Consumer,
  type Identity,
  type Provider,
  type ProviderOptions,
  createIdentity,
  peerOf,
  renewedLeaf,
  startConsumer,
  startProvider,
} from "./two-gateways.ts";
import { createClusters } from "./identities.ts";

let west: Identity;
let east: Identity;
let north: Identity;

beforeAll(async () => {
  ({ west, east, north } = await createClusters());
});

async function startWest(options?: ProviderOptions) {
  const provider = await startProvider(west, [east], options);
  provider.export("web", [await startEcho()]);
  return provider;
}

/** East linked to these ports of loopback; `port` is where east reaches `shop/web`. */
async function linkEast(
  to: number,
  options?: Parameters<Consumer["link"]>[2],
  consumerOptions?: Parameters<typeof startConsumer>[1],
) {
  const consumer = startConsumer(east, consumerOptions);
  consumer.link(west, to, options);
  return { consumer, port: await consumer.mirror("west", "web") };
}

async function untilSessions(provider: Provider, count: number): Promise<void> {
  await eventually(() => expect(provider.ingress.activeSessions).toBe(count), {
    describe: `${count} sessions`,
  });
}

describe("when the remote gateway dies", () => {
  test("the kernel refuses, connections are reset, and all is well when it returns", async () => {
    const provider = await startWest();
    const { consumer, port } = await linkEast(provider.port, { probe: { successThreshold: 2 } });
    await consumer.untilOpen(port);
    const open = await dialMirror(port);
    open.write("x");
    await once(open, "data");
    const ending = heard(open);
    const remotePort = provider.port;

    provider.ingress.destroy();
    expect(await ending).toBe("ECONNRESET");
    await consumer.untilClosed(port);
    expect(await hear(port, "x")).toBe("ECONNREFUSED");

    await startWest({ port: remotePort });
    await consumer.untilOpen(port);
    expect(await hear(port, "back")).toBe("backend");
  });

  test("without a word, an unanswered PING tells, and the mirror closes", async () => {
    const provider = await startWest();
    const wire = await startWire(() => provider.port);
    const times = { pingIntervalMs: 100, pingTimeoutMs: 1000, connectTimeoutMs: 1000 };
    const { consumer, port } = await linkEast(wire.port, {}, { times });
    await consumer.untilOpen(port);
    const open = await dialMirror(port);
    open.write("x");
    await once(open, "data");
    const ending = heard(open);

    wire.cut();
    expect(await ending).toBe("ECONNRESET");
    await consumer.untilClosed(port);
    expect(await hear(port, "x")).toBe("ECONNREFUSED");

    wire.mend();
    await consumer.untilOpen(port);
    expect(await hear(port, "back")).toBe("backend");
  });
});

test("a link with some of its addresses dead carries every connection", async () => {
  const provider = await startWest();
  const { consumer, port } = await linkEast(provider.port, {
    // Nothing listens on the second: refused at once.
    addresses: ["127.0.0.1", "127.0.0.2"],
  });
  await consumer.untilOpen(port);
  const answers = await Promise.all(Array.from({ length: 50 }, () => hear(port, "x")));
  expect(new Set(answers)).toEqual(new Set(["xend"]));
});

test("connections over an address that is not used any more finish, unless the Link is deleted", async () => {
  const [before, after] = [await startWest(), await startWest()];
  const { consumer, port } = await linkEast(before.port);
  await consumer.untilOpen(port);
  const [one, other] = [await dialMirror(port), await dialMirror(port)];
  for (const socket of [one, other]) {
    socket.write("x");
    await once(socket, "data");
  }
  consumer.link(west, after.port);
  await untilSessions(after, 2);
  expect(await hear(port, "x")).toBe("xend");
  one.end("late");
  expect(await heard(one)).toBe("lateend");

  const ending = heard(other);
  consumer.state.links.clear();
  consumer.update();
  expect(await ending).toBe("ECONNRESET");
  await untilSessions(before, 0);
  expect(await hear(port, "x")).toBe("ECONNREFUSED");
});

describe("a gateway that drains", () => {
  test("finishes what is open, however long, while every new connection goes to another", async () => {
    const [provider, successor] = [await startWest(), await startWest()];
    let current = provider;
    // As the address of a Service, behind which gateways come and go.
    const wire = await startWire(() => current.port);
    const pingTimeoutMs = 300;
    const times = { pingIntervalMs: 100, pingTimeoutMs };
    const single = { times, sessionsPerAddress: 1 };
    // Were it closed for a moment, it would not be open again before some answers.
    const { consumer, port } = await linkEast(
      wire.port,
      { probe: { successThreshold: 5 } },
      single,
    );
    await consumer.untilOpen(port);
    const open = await dialMirror(port);
    open.write("before");
    await once(open, "data");

    current = successor;
    const drained = provider.ingress.drain();
    const startMs = Date.now();
    // Nothing asks a session that drains for signs of life.
    while (Date.now() - startMs < 4 * pingTimeoutMs) {
      expect(await hear(port, "x")).toBe("xend");
    }
    await drained;
    await untilSessions(successor, 1);
    open.end("after");
    expect(await heard(open)).toBe("afterend");
    await untilSessions(provider, 0);
  });

  test("closes the mirror when nothing takes its place", async () => {
    const provider = await startWest();
    const { consumer, port } = await linkEast(provider.port);
    await consumer.untilOpen(port);
    await provider.ingress.drain();
    await consumer.untilClosed(port);
    expect(await hear(port)).toBe("ECONNREFUSED");
  });
});

describe("trust", () => {
  test("a Peer that is removed loses its sessions and streams at once, and may return", async () => {
    const provider = await startWest();
    const { consumer, port } = await linkEast(provider.port);
    await consumer.untilOpen(port);
    const open = await dialMirror(port);
    open.write("x");
    await once(open, "data");
    const ending = heard(open);

    provider.ingress.setPeers([peerOf(north)]);
    expect(await ending).toBe("ECONNRESET");
    await untilSessions(provider, 0);
    await consumer.untilClosed(port);

    provider.ingress.setPeers([peerOf(east)]);
    await consumer.untilOpen(port);
  });

  test("a link stays closed when the remote is not who the Link says", async () => {
    const impostor = { ...(await createIdentity("west")), name: "west" };
    const other = await startProvider(impostor, [east]);
    const { consumer, port } = await linkEast(other.port);
    await eventually(
      async () => {
        const { values } = await consumer.metrics.sessionFailures.get();
        expect(values.length).toBeGreaterThan(0);
      },
      { describe: "a failed session" },
    );
    expect(consumer.egress.openPorts).toEqual([]);
    expect(await hear(port)).toBe("ECONNREFUSED");
  });

  test("a link stays closed when the CA is right and the name is not", async () => {
    const provider = await startWest();
    provider.ingress.setLeaf(
      await issueLeaf(west.ca, { identity: gatewayIdentity("south"), nowMs: Date.now() }),
    );
    const { consumer } = await linkEast(provider.port);
    await eventually(
      async () => {
        const { values } = await consumer.metrics.sessionFailures.get();
        expect(values.map(({ labels }) => labels.reason)).toContain("IdentityMismatch");
      },
      { describe: "a refused identity" },
    );
    expect(consumer.egress.openPorts).toEqual([]);
  });

  test("a link is closed without a leaf of its own, and when its Link is not valid", async () => {
    const provider = await startWest();
    const { consumer, port } = await linkEast(provider.port);
    await consumer.untilOpen(port);
    consumer.state.leaf = undefined;
    consumer.update();
    expect(consumer.egress.openPorts).toEqual([]);
    consumer.state.leaf = east.leaf;
    consumer.update();
    await consumer.untilOpen(port);
    consumer.link(west, provider.port, { bundlePem: "nothing" });
    expect(consumer.egress.openPorts).toEqual([]);
    await untilSessions(provider, 0);
  });

  test("leaves and CAs of both sides are replaced under a connection that lives on", async () => {
    const provider = await startWest();
    const times = { pingIntervalMs: 100, pingTimeoutMs: 300 };
    const { consumer, port } = await linkEast(provider.port, {}, { times });
    await consumer.untilOpen(port);
    const open = await dialMirror(port);
    const echoes = async (text: string) => {
      open.write(text);
      const [echo]: unknown[] = await once(open, "data");
      return String(echo);
    };
    expect(await echoes("one")).toBe("one");

    // Renewed leaves: the server's counts for new handshakes, the client's brings new sessions.
    provider.ingress.setLeaf(await renewedLeaf(west));
    consumer.state.leaf = await renewedLeaf(east);
    consumer.update();
    // Two fresh sessions, and the old one that still carries the connection.
    await untilSessions(provider, 3);
    expect(await echoes("two")).toBe("two");
    expect(await hear(port, "x")).toBe("xend");

    // A new CA of the provider: first both in the bundle, then its leaf, then the old one goes.
    const ca = await createAuthority({ clusterName: "west", nowMs: Date.now() });
    const both = appendToBundle(west.ca.certificatePem, ca.certificatePem);
    consumer.link(west, provider.port, { bundlePem: both });
    provider.ingress.setLeaf(await renewedLeaf({ name: "west", ca }));
    await untilSessions(provider, 3);
    expect(await echoes("three")).toBe("three");
    expect(await hear(port, "x")).toBe("xend");
    expect(consumer.egress.openPorts).toEqual([port]);

    const ending = heard(open);
    consumer.link(west, provider.port, { bundlePem: ca.certificatePem });
    // Its session began under the CA that is not trusted any more.
    expect(await ending).toBe("ECONNRESET");
    await consumer.untilOpen(port);
    expect(await hear(port, "x")).toBe("xend");
  });

  test("a consumer has no more sessions than it may", async () => {
    const provider = await startWest({ limits: { maxSessionsPerPeer: 1 } });
    const { consumer, port } = await linkEast(provider.port);
    await consumer.untilOpen(port);
    await eventually(
      async () => expect(await provider.registry.metrics()).toContain("TooManySessions"),
      { describe: "a refused session" },
    );
    expect(provider.ingress.activeSessions).toBe(1);
    expect(await hear(port, "x")).toBe("xend");
  });
});
