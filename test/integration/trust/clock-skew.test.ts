import { expect, test } from "vitest";
import { gatewayIdentity } from "../../../api/names.ts";
import { createAuthority, issueLeaf } from "../../../pki/authority.ts";
import { hear, startEcho } from "../gateway/loopback.ts";
import { type Identity, startConsumer, startProvider } from "../gateway/two-gateways.ts";
import { eventually } from "../fixtures.ts";

const MINUTE_MS = 60_000;

/** A cluster whose clock is off: its CA and its leaf were made at that time. */
async function createSkewed(name: string, skewMinutes: number): Promise<Identity> {
  const nowMs = Date.now() + skewMinutes * MINUTE_MS;
  const ca = await createAuthority({ clusterName: name, nowMs });
  return { name, ca, leaf: await issueLeaf(ca, { identity: gatewayIdentity(name), nowMs }) };
}

async function linkBetween(westMinutes: number, eastMinutes: number) {
  const [west, east] = await Promise.all([
    createSkewed("west", westMinutes),
    createSkewed("east", eastMinutes),
  ]);
  const provider = await startProvider(west, [east]);
  provider.export("web", [await startEcho()]);
  const consumer = startConsumer(east);
  consumer.link(west, provider.port);
  return { provider, consumer, port: await consumer.mirror("west", "web") };
}

test.each([
  { west: 10, east: 0 },
  { west: -10, east: 0 },
  { west: 0, east: 10 },
  { west: 0, east: -10 },
  { west: 5, east: -5 },
])(
  "traffic flows between fresh clusters whose clocks are $west and $east minutes off",
  async ({ west, east }) => {
    const { consumer, port } = await linkBetween(west, east);
    await consumer.untilOpen(port);
    expect(await hear(port, "x")).toBe("xend");
  },
);

test.each([
  { side: "provider", west: 16, east: 0 },
  { side: "consumer", west: 0, east: 16 },
])(
  "a $side whose clock is further ahead than certificates are backdated is refused",
  async (skew) => {
    const { provider, consumer, port } = await linkBetween(skew.west, skew.east);
    const refusals = async () =>
      `${await consumer.registry.metrics()}${await provider.registry.metrics()}`;
    await eventually(
      async () => expect(await refusals()).toMatch(/session_failures_total\{[^}]*\} [1-9]/),
      {
        describe: "a session was refused",
      },
    );
    expect(consumer.egress.openPorts).not.toContain(port);
  },
);
