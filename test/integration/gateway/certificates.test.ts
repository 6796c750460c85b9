import { once } from "node:events";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type Clock, systemClock } from "../../../api/clock.ts";
import { gatewayIdentity } from "../../../api/names.ts";
import { type CertificateAndKey, createAuthority, issueLeaf } from "../../../pki/authority.ts";
import { parseCertificate } from "../../../pki/certificate.ts";
import { appendToBundle } from "../../../pki/trust.ts";
import { eventually } from "../fixtures.ts";
import { dialMirror, hear, heard, startEcho, startWire } from "./loopback.ts";
import {
  type Consumer,
  type Identity,
  type Provider,
  createIdentity,
  peerOf,
  renewedLeaf,
  startConsumer,
  startProvider,
} from "./two-gateways.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** The provider takes 5 s to have all sessions opened anew after a change of its leaf; these tests change it often. */
const TEN_TIMES_FASTER: Clock = {
  nowMs: () => systemClock.nowMs(),
  sleep: async (durationMs, signal) => await systemClock.sleep(durationMs / 10, signal),
};

let west: Identity;
let east: Identity;

beforeAll(async () => {
  [west, east] = await Promise.all([createIdentity("west"), createIdentity("east")]);
});

/** East linked to west's `shop/web`, with these leaves and bundles in place of their own. */
async function linked(
  change: {
    westLeaf?: CertificateAndKey;
    eastLeaf?: CertificateAndKey;
    log?: string[];
    clock?: Clock;
  } = {},
) {
  const { log, clock = systemClock } = change;
  const leaf = change.westLeaf ?? west.leaf;
  const provider = await startProvider({ ...west, leaf }, [east], { clock });
  provider.export("web", [await startEcho()]);
  const consumer = startConsumer(
    { ...east, leaf: change.eastLeaf ?? east.leaf },
    {
      // A session counts as good from its second answer on.
      times: { pingIntervalMs: 100 },
      ...(log === undefined ? {} : { log: { write: (line: string) => void log.push(line) } }),
    },
  );
  consumer.link(west, provider.port);
  return { provider, consumer, port: await consumer.mirror("west", "web") };
}

/** A leaf made by a clock that is this far off ours, or that lives for so long only. */
async function leafOf({ name, ca }: Identity, options: { skewMs?: number; lifetimeMs?: number }) {
  const { skewMs = 0, ...lifetime } = options;
  return await issueLeaf(ca, {
    identity: gatewayIdentity(name),
    nowMs: Date.now() + skewMs,
    ...lifetime,
  });
}

/** Two clients that connect every few ms, until asked how their attempts ended. */
function steadyTraffic(port: number): () => Promise<{ endings: Set<string>; attempts: number }> {
  const endings = new Set<string>();
  const stopping = new AbortController();
  onTestFinished(() => stopping.abort());
  let attempts = 0;
  const clients = Array.from({ length: 2 }, async () => {
    while (!stopping.signal.aborted) {
      endings.add(await hear(port, "x"));
      attempts += 1;
      await sleep(5);
    }
  });
  return async () => {
    stopping.abort();
    await Promise.all(clients);
    return { endings, attempts };
  };
}

/** Writes to a connection and returns what comes back. */
async function echoed(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [echo]: unknown[] = await once(socket, "data");
  return String(echo);
}

async function untilSessions(provider: Provider, count: number): Promise<void> {
  await eventually(() => expect(provider.ingress.activeSessions).toBe(count), {
    describe: `${count} sessions`,
  });
}

/** A change that makes the consumer replace both of its sessions, waited for. */
async function replacing(provider: Provider, change: () => void): Promise<void> {
  const before = await provider.accepted();
  change();
  await eventually(
    async () => expect(await provider.accepted()).toBeGreaterThanOrEqual(before + 2),
    {
      describe: "both sessions are replaced",
    },
  );
}

async function untilRefused(consumer: Consumer, reason: string): Promise<void> {
  await eventually(
    async () => {
      const { values } = await consumer.metrics.sessionFailures.get();
      expect(values.map(({ labels }) => labels.reason)).toContain(reason);
    },
    { describe: `a session that ends by ${reason}` },
  );
}

describe("rotation under steady traffic", () => {
  test("20 new leaves of either side fail no client, and a stream lives through them all", async () => {
    const { provider, consumer, port } = await linked({ clock: TEN_TIMES_FASTER });
    await consumer.untilOpen(port);
    await untilSessions(provider, 2);
    const stream = await dialMirror(port);
    await echoed(stream, "begin");
    const traffic = steadyTraffic(port);
    for (let round = 0; round < 20; round += 1) {
      const leaves = await Promise.all([renewedLeaf(west), renewedLeaf(east)]);
      await replacing(provider, () => provider.ingress.setLeaf(leaves[0]));
      await replacing(provider, () => {
        consumer.state.leaf = leaves[1];
        consumer.update();
      });
      expect(await echoed(stream, `round ${round}`)).toBe(`round ${round}`);
    }
    const { endings, attempts } = await traffic();
    expect(endings).toEqual(new Set(["xend"]));
    expect(attempts).toBeGreaterThan(20);
  });

  test("new CAs of either side fail no client", async () => {
    const { provider, consumer, port } = await linked({ clock: TEN_TIMES_FASTER });
    await consumer.untilOpen(port);
    await untilSessions(provider, 2);
    const traffic = steadyTraffic(port);
    let [oldWest, oldEast] = [west.ca, east.ca];
    for (let round = 0; round < 3; round += 1) {
      const [newWest, newEast] = await Promise.all([newAuthority("west"), newAuthority("east")]);
      const bundlePem = appendToBundle(oldEast.certificatePem, newEast.certificatePem);
      provider.ingress.setPeers([{ ...peerOf(east), bundlePem }]);
      await replacing(provider, () => {
        const both = appendToBundle(oldWest.certificatePem, newWest.certificatePem);
        consumer.link(west, provider.port, { bundlePem: both });
      });
      const leaves = await Promise.all([
        renewedLeaf({ name: "west", ca: newWest }),
        renewedLeaf({ name: "east", ca: newEast }),
      ]);
      await replacing(provider, () => provider.ingress.setLeaf(leaves[0]));
      await replacing(provider, () => {
        consumer.state.leaf = leaves[1];
        consumer.update();
      });
      const stream = await dialMirror(port);
      expect(await echoed(stream, "both CAs")).toBe("both CAs");
      // What is left of the sessions under the old ones has come to its end.
      await untilSessions(provider, 2);
      provider.ingress.setPeers([{ ...peerOf(east), bundlePem: newEast.certificatePem }]);
      await replacing(provider, () => {
        consumer.link(west, provider.port, { bundlePem: newWest.certificatePem });
      });
      expect(await echoed(stream, "new CAs")).toBe("new CAs");
      stream.end();
      [oldWest, oldEast] = [newWest, newEast];
    }
    expect((await traffic()).endings).toEqual(new Set(["xend"]));
  });

  test("sessions move to a gateway with a newer leaf before that of their own expires", async () => {
    const westLeaf = await leafOf(west, { lifetimeMs: 6000 });
    const provider = await startProvider({ ...west, leaf: westLeaf }, [east]);
    const successor = await startProvider(west, [east]);
    const echo = await startEcho();
    for (const each of [provider, successor]) each.export("web", [echo]);
    let current = provider;
    // As the address of a Service with more than one gateway behind it.
    const wire = await startWire(() => current.port);
    const consumer = startConsumer(east);
    consumer.link(west, wire.port);
    const port = await consumer.mirror("west", "web");
    await consumer.untilOpen(port);
    await untilSessions(provider, 2);
    current = successor;
    const traffic = steadyTraffic(port);
    await untilSessions(successor, 2);
    await untilSessions(provider, 0);
    expect(Date.now()).toBeLessThan(parseCertificate(westLeaf.certificatePem).notAfterMs);
    expect((await traffic()).endings).toEqual(new Set(["xend"]));
  });
});

describe("a certificate", () => {
  test.each([
    ["has expired", -25 * HOUR_MS, "CERT_HAS_EXPIRED", "certificate has expired"],
    ["is not valid yet", HOUR_MS, "CERT_NOT_YET_VALID", "certificate is not yet valid"],
  ])("of the remote that %s is refused, by name", async (_what, skewMs, reason, words) => {
    const log: string[] = [];
    const { consumer, port } = await linked({ westLeaf: await leafOf(west, { skewMs }), log });
    await untilRefused(consumer, reason);
    expect(await hear(port)).toBe("ECONNREFUSED");
    expect(log.join("")).toContain(words);
    const { values } = await consumer.metrics.sessionFailures.get();
    expect(new Set(values.map(({ labels }) => labels.reason))).toEqual(new Set([reason]));
  });

  test.each([
    ["has expired", -25 * HOUR_MS, "CERT_HAS_EXPIRED"],
    ["is not valid yet", HOUR_MS, "CERT_NOT_YET_VALID"],
  ])("of the consumer that %s is refused, by name", async (_what, skewMs, reason) => {
    const { provider, port } = await linked({ eastLeaf: await leafOf(east, { skewMs }) });
    await eventually(
      async () => expect(await provider.registry.metrics()).toContain(`{reason="${reason}"}`),
      { describe: "the refusal" },
    );
    expect(await hear(port)).toBe("ECONNREFUSED");
  });

  test.each([
    ["ahead", 10 * MINUTE_MS],
    ["behind", -10 * MINUTE_MS],
  ])("made by a clock 10 minutes %s is accepted on either side", async (_what, skewMs) => {
    const { consumer, port } = await linked({
      westLeaf: await leafOf(west, { skewMs }),
      eastLeaf: await leafOf(east, { skewMs: -skewMs }),
    });
    await consumer.untilOpen(port);
    expect(await hear(port, "x")).toBe("xend");
  });

  test("that has expired in a bundle does no harm to the valid one beside it", async () => {
    const { provider, consumer, port } = await linked();
    await consumer.untilOpen(port);
    const [oldWest, oldEast] = await Promise.all(["west", "east"].map(expiredAuthority));
    const westBundle = appendToBundle(oldWest ?? "", west.ca.certificatePem);
    const eastBundle = appendToBundle(oldEast ?? "", east.ca.certificatePem);
    expect(provider.ingress.setPeers([{ ...peerOf(east), bundlePem: eastBundle }]).size).toBe(0);
    await replacing(provider, () => {
      consumer.link(west, provider.port, { bundlePem: westBundle });
    });
    expect(await hear(port, "x")).toBe("xend");
  });
});

/** What is seen of a link with these leaves, one of which expires soon. */
async function expiring(change: Parameters<typeof linked>[0]) {
  const { consumer, port } = await linked(change);
  await consumer.untilOpen(port);
  const socket = await dialMirror(port);
  socket.write("x");
  await consumer.untilClosed(port);
  const connecting = await hear(port);
  socket.end("y");
  return { consumer, connecting, stream: await heard(socket) };
}

test("a session finishes its streams and takes no more when a certificate expires that it was made with, of the remote or of the consumer", async () => {
  // Side by side: they only wait.
  const [ofRemote, ofConsumer] = await Promise.all([
    leafOf(west, { lifetimeMs: 4000 }).then((westLeaf) => expiring({ westLeaf })),
    leafOf(east, { lifetimeMs: 4000 }).then((eastLeaf) => expiring({ eastLeaf })),
  ]);
  for (const { connecting, stream } of [ofRemote, ofConsumer]) {
    expect(connecting).toBe("ECONNREFUSED");
    expect(stream).toBe("xyend");
  }
  await untilRefused(ofRemote.consumer, "CERT_HAS_EXPIRED");
});

async function newAuthority(clusterName: string): Promise<CertificateAndKey> {
  return await createAuthority({ clusterName, nowMs: Date.now() });
}

async function expiredAuthority(clusterName: string): Promise<string> {
  const nowMs = Date.now() - HOUR_MS;
  return (await createAuthority({ clusterName, nowMs, lifetimeMs: MINUTE_MS })).certificatePem;
}
