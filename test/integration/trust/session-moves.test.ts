import { expect, onTestFinished, test } from "vitest";
import { createAuthority } from "../../../pki/authority.ts";
import { appendToBundle } from "../../../pki/trust.ts";
import { eventually } from "../fixtures.ts";
import { hear, startEcho } from "../gateway/loopback.ts";
import {
  createIdentity,
  type Identity,
  peerOf,
  renewedLeaf,
  startConsumer,
  startProvider,
} from "../gateway/two-gateways.ts";

/** East linked to west over real TLS; `port` is where east reaches `shop/web`. */
async function startLink() {
  const [west, east] = await Promise.all([createIdentity("west"), createIdentity("east")]);
  const provider = await startProvider(west, [east]);
  provider.export("web", [await startEcho()]);
  const consumer = startConsumer(east);
  consumer.link(west, provider.port);
  const port = await consumer.mirror("west", "web");
  await consumer.untilOpen(port);
  return { west, east, provider, consumer, port };
}

/** Calls without a pause until it is stopped; then every answer that was not the expected one. */
function startCalls(port: number): () => Promise<string[]> {
  const stopping = new AbortController();
  onTestFinished(() => stopping.abort());
  const wrong: string[] = [];
  const calling = (async () => {
    while (!stopping.signal.aborted) {
      const answer = await hear(port, "x");
      if (answer !== "xend") wrong.push(answer);
    }
  })();
  return async () => {
    stopping.abort();
    await calling;
    return wrong;
  };
}

async function nextAuthority(name: string): Promise<Omit<Identity, "leaf">> {
  return { name, ca: await createAuthority({ clusterName: name, nowMs: Date.now() }) };
}

test("no call fails when the provider's CA is replaced in the order of a rotation", async () => {
  const { west, provider, consumer, port } = await startLink();
  const stopCalls = startCalls(port);
  const next = await nextAuthority("west");
  const both = appendToBundle(west.ca.certificatePem, next.ca.certificatePem);
  const untilMoved = async (action: () => void) => {
    const before = await provider.accepted();
    action();
    await eventually(async () => expect(await provider.accepted()).toBeGreaterThan(before + 1), {
      describe: "both sessions were opened anew",
    });
  };
  await untilMoved(() => consumer.link(west, provider.port, { bundlePem: both }));
  const leaf = await renewedLeaf(next);
  await untilMoved(() => provider.ingress.setLeaf(leaf));
  await untilMoved(() => consumer.link(west, provider.port, { bundlePem: next.ca.certificatePem }));
  expect(await stopCalls()).toEqual([]);
});

test("no call fails when the consumer's CA is replaced in the order of a rotation", async () => {
  const { east, provider, consumer, port } = await startLink();
  const stopCalls = startCalls(port);
  const next = await nextAuthority("east");
  const bundlePem = appendToBundle(east.ca.certificatePem, next.ca.certificatePem);
  provider.ingress.setPeers([{ ...peerOf(east), bundlePem }]);
  const leaf = await renewedLeaf(next);
  const before = await provider.accepted();
  consumer.state.leaf = leaf;
  consumer.update();
  await eventually(async () => expect(await provider.accepted()).toBeGreaterThan(before + 1), {
    describe: "both sessions were opened anew",
  });
  await eventually(() => expect(provider.ingress.activeSessions).toBe(2), {
    describe: "the old sessions have ended",
  });
  provider.ingress.setPeers([{ ...peerOf(east), bundlePem: next.ca.certificatePem }]);
  expect(await stopCalls()).toEqual([]);
});
