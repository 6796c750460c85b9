import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import type { GatewayLimits } from "../../../gateway/limits/limits.ts";
import { boundsReached, untilReached } from "./bound-counts.ts";
import { sessionOf, startWest } from "./bounded-west.ts";
import { type Clusters, createClusters } from "./identities.ts";
import { FLOODS, sendFlood } from "./flood.ts";
import { hear } from "./loopback.ts";
import { connectRequest, rstStream } from "./raw-frames.ts";
import { type Provider, startConsumer } from "./two-gateways.ts";

let clusters: Clusters;

beforeAll(async () => {
  clusters = await createClusters();
});

/** Rates so low that a flood of few frames is one. */
const STRICT: Partial<GatewayLimits> = {
  maxInvalidFramesPerSession: 50,
  // Sessions are looked at four times a second.
  peerPingIntervalMs: 500,
  headerTimeoutMs: 2000,
  maxResetsPerSecond: 20,
  maxStreamErrorsPerSecond: 20,
  maxPingsPerSecond: 20,
};
/** nghttp2's own rates cannot be set: what they bound would be overhead before. */
const STRICT_OVERHEAD = { ...STRICT, maxOverheadBytesPerSecond: 8 * 1024 };
/** For requests that are served, and so many that they are a flood. */
const FEW_STREAMS = { ...STRICT, maxStreamsPerSession: 500 };

interface World {
  provider: Provider;
  /** Where north reaches the same Service as east. */
  northPort: number;
}

/** West exports to east and north; north is linked. */
async function startWorld(limits: Partial<GatewayLimits>): Promise<World> {
  const provider = await startWest(clusters, limits);
  const consumer = startConsumer(clusters.north);
  consumer.link(clusters.west, provider.port);
  const northPort = await consumer.mirror("west", "web");
  await consumer.untilOpen(northPort);
  return { provider, northPort };
}

/** An honest client of north, one connection after the other until the test ends; returns its answers so far. */
function keepAsking(port: number): string[] {
  const answers: string[] = [];
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const ask = async () => {
    while (!stop.signal.aborted) {
      answers.push(await hear(port, "x"));
      await sleep(5);
    }
  };
  void ask();
  return answers;
}

/** GOAWAY codes of RFC 9113 section 7. */
const PROTOCOL_ERROR = { goaway: 1 };
const INTERNAL_ERROR = { goaway: 2 };
const FLOW_CONTROL_ERROR = { goaway: 3 };
const FRAME_SIZE_ERROR = { goaway: 6 };
const ENHANCE_YOUR_CALM = { goaway: 11 };
const CUT_OFF = ["end", { error: "EPIPE" }, { error: "ECONNRESET" }];

const CASES: readonly (readonly [
  name: keyof typeof FLOODS,
  ending: unknown,
  bound: string,
  limits?: Partial<GatewayLimits>,
])[] = [
  ["rapid reset", INTERNAL_ERROR, "Protocol"],
  ["MadeYouReset by a window update of 0", PROTOCOL_ERROR, "Protocol"],
  ["MadeYouReset by a window that overflows", FLOW_CONTROL_ERROR, "Protocol"],
  ["MadeYouReset by a PRIORITY of the wrong length", FRAME_SIZE_ERROR, "Protocol"],
  ["MadeYouReset by too many header fields", ENHANCE_YOUR_CALM, "StreamErrors"],
  ["MadeYouReset by a header field in upper case", "end", "InvalidFrames"],
  ["header fields that are too long", ENHANCE_YOUR_CALM, "Overhead", STRICT_OVERHEAD],
  ["header fields without name or value", PROTOCOL_ERROR, "Protocol", FEW_STREAMS],
  ["HPACK bomb", ENHANCE_YOUR_CALM, "Overhead", STRICT_OVERHEAD],
  ["requests that are refused", ENHANCE_YOUR_CALM, "StreamErrors"],
  ["CONTINUATION without bytes", INTERNAL_ERROR, "Protocol"],
  ["CONTINUATION with header fields", INTERNAL_ERROR, "Protocol"],
  ["PING", ENHANCE_YOUR_CALM, "Pings"],
  ["answers to no PING", INTERNAL_ERROR, "Protocol"],
  ["SETTINGS", ENHANCE_YOUR_CALM, "Settings"],
  ["answers to no SETTINGS", PROTOCOL_ERROR, "Protocol"],
  ["SETTINGS with too many entries", ENHANCE_YOUR_CALM, "Protocol"],
  ["DATA without bytes", INTERNAL_ERROR, "InvalidFrames"],
  ["DATA of padding", ENHANCE_YOUR_CALM, "Overhead", STRICT_OVERHEAD],
  ["DATA for a closed stream", ENHANCE_YOUR_CALM, "Overhead", STRICT_OVERHEAD],
  ["RST_STREAM for a closed stream", INTERNAL_ERROR, "Protocol"],
  ["window updates of one byte", ENHANCE_YOUR_CALM, "Overhead", STRICT_OVERHEAD],
  ["window updates of a closed stream", ENHANCE_YOUR_CALM, "Overhead", STRICT_OVERHEAD],
  ["window updates of 0", PROTOCOL_ERROR, "Protocol"],
  ["PRIORITY", ENHANCE_YOUR_CALM, "Protocol"],
  ["PRIORITY_UPDATE", ENHANCE_YOUR_CALM, "Protocol"],
  ["ALTSVC", ENHANCE_YOUR_CALM, "Protocol"],
  ["frames of an unknown type", ENHANCE_YOUR_CALM, "Protocol"],
  ["GOAWAY", ENHANCE_YOUR_CALM, "Overhead", STRICT_OVERHEAD],
];

test.each(CASES.map(([name, ending, bound, limits = STRICT]) => ({ name, ending, bound, limits })))(
  "a flood of $name ends its session, and another peer's connections go on",
  async ({ name, ending, bound, limits }) => {
    const { provider, northPort } = await startWorld(limits);
    const session = await sessionOf(clusters.east, provider);
    await session.send(connectRequest(1), connectRequest(3), rstStream(3));
    expect(await session.status(1)).toBe(200);

    const answers = keepAsking(northPort);
    const turns = await sendFlood(session, FLOODS[name], { maxTurns: 1_000_000 });
    // What is sent on to a closed connection makes the kernel drop the GOAWAY.
    expect([ending, ...CUT_OFF], `after ${turns}`).toContainEqual(await session.ended());
    await untilReached(provider, `${bound} east`);
    expect(await boundsReached(provider.registry)).toEqual({ [`${bound} east`]: 1 });
    expect(answers.filter((answer) => answer !== "xend")).toEqual([]);
    expect(await hear(northPort, "x")).toBe("xend");
  },
);
