import { expect, test } from "vitest";
import { eventually } from "../fixtures.ts";
import { untilReached } from "./bound-counts.ts";
import { isServed, sessionOf, startWest } from "./bounded-west.ts";
import { createClusters } from "./identities.ts";
import { FLOODS, sendFlood } from "./flood.ts";
import { hear } from "./loopback.ts";
import { startConsumer } from "./two-gateways.ts";

/** ENHANCE_YOUR_CALM, or, where what the client sent meanwhile met a closed connection, no more than its end. */
const SENT_AWAY = [{ goaway: 11 }, "end", { error: "EPIPE" }, { error: "ECONNRESET" }];

test("a peer that flooded is kept out for a while; its open sessions and other peers are served", async () => {
  const clusters = await createClusters();
  const provider = await startWest(clusters, { maxPingsPerSecond: 20, maxPenaltyMs: 1000 });
  const other = await sessionOf(clusters.east, provider);
  const flooding = await sessionOf(clusters.east, provider);
  await sendFlood(flooding, FLOODS["PING"], { maxTurns: 10_000 });
  await untilReached(provider, "Pings east");

  const further = await sessionOf(clusters.east, provider);
  expect(SENT_AWAY).toContainEqual(await further.ended());
  await untilReached(provider, "Penalty east");
  expect(await isServed(other)).toBe(true);
  expect(await isServed(await sessionOf(clusters.north, provider))).toBe(true);

  const gateway = startConsumer(clusters.east);
  gateway.link(clusters.west, provider.port);
  const port = await gateway.mirror("west", "web");
  await gateway.untilOpen(port);
  // One that is sent away may still have had its first PING answered.
  await eventually(async () => expect(await hear(port, "x")).toBe("xend"), {
    describe: "east is served again",
  });
});
