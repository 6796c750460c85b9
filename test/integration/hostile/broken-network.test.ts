import { expect, test } from "vitest";
import { useTwoLinks } from "./two-links.ts";
import {
  exportService,
  faulty,
  mirrorMs,
  type Trouble,
  untilMirrored,
  withstands,
} from "./withstand.ts";
import type { Weather } from "../../faults/tcp-proxy.ts";
import { eventually } from "../fixtures.ts";
import { RESOURCES } from "../../../api/resources.ts";

const links = useTwoLinks();

const TIMEOUT_MS = 180_000;
const JSON_TYPE = { "content-type": "application/json" };
const TOLERATED = { type: "ApiReachable", says: "False ApiLostTolerated" } as const;
const GOES_ON = { type: "Ready", says: "True LinkReady" } as const;
const EXPIRED = JSON.stringify({ kind: "Status", reason: "Expired", code: 410 });

/** The network to west is like this. */
function weather(now: Weather): Trouble["begin"] {
  return ({ network, proxy }) => {
    network.setWeather(now);
    proxy.cutWatches();
    return () => network.setWeather();
  };
}

/** One request of three is struck. */
function oneOfThree(): () => boolean {
  let count = 0;
  return () => (count += 1) % 3 === 0;
}

test.each<[string, string, Trouble]>([
  [
    "storm",
    "watches that have always expired",
    {
      begin: faulty(
        { type: "respond", statusCode: 410, headers: JSON_TYPE, body: EXPIRED },
        ({ verb, query }) => verb === "watch" || query.has("continue"),
      ),
      ...TOLERATED,
      message: /answered 410/,
    },
  ],
  [
    "away",
    "503 for everything",
    {
      begin: faulty({ type: "respond", statusCode: 503, body: "" }),
      ...TOLERATED,
      message: /answered 503/,
    },
  ],
  [
    "busy",
    "429 and the wish to be left alone for an hour",
    {
      begin: faulty({
        type: "respond",
        statusCode: 429,
        headers: { "retry-after": "3600" },
        body: "",
      }),
      ...TOLERATED,
      message: /answered 429/,
    },
  ],
  [
    "forgetful",
    "401 for one request of three",
    {
      begin: faulty(
        { type: "respond", statusCode: 401, headers: JSON_TYPE, body: "" },
        oneOfThree(),
      ),
      ...GOES_ON,
    },
  ],
  [
    "trickle",
    "one byte a second",
    {
      begin: faulty({
        type: "trickle",
        text: `{"kind":"ServiceList",${" ".repeat(999)}`,
        everyMs: 1000,
      }),
      ...TOLERATED,
      message: /no answer in time|REQUEST_TIMEOUT/,
    },
  ],
  [
    "slow",
    "300 ms more each way, and lost connections",
    { begin: weather({ delayMs: 300, loss: 0.01 }), ...GOES_ON },
  ],
  [
    "hole",
    "a network that swallows everything",
    { begin: weather({ blackHole: true }), ...TOLERATED, message: /cannot be reached/ },
  ],
])(
  "a link withstands %s: %s",
  async (name, _what, trouble) => {
    const { requestsPerSecond } = await withstands(links(), name, trouble);
    expect(requestsPerSecond).toBeLessThan(20);
  },
  TIMEOUT_MS,
);

test(
  "annotations of 256 KiB on many Services reach neither the mirrors nor the other link",
  async () => {
    const { providers } = links();
    const filler = { "example.org/filler": "x".repeat(250 * 1024) };
    const names = Array.from({ length: 20 }, (_, index) => `stuffed-${index}`);
    for (const name of names) await exportService(providers.west, name, filler);
    for (const name of names) {
      const mirror = await untilMirrored(links(), "west", name);
      expect(JSON.stringify(mirror.metadata.annotations).length).toBeLessThan(64 * 1024);
    }
    await mirrorMs(links(), "beside-stuffed");
  },
  TIMEOUT_MS,
);

test(
  "a provider whose etcd was restored from an older backup is followed, not waited for",
  async () => {
    const { providers, proxy, east } = links();
    const AHEAD = 1_000_000;
    const isAhead = (version: string): boolean => Number(version) > AHEAD;
    // Before the restore its versions are those of a later time.
    const restore = proxy.inject({
      match: () => true,
      times: Infinity,
      fault: {
        type: "edit",
        query: (query) => {
          const version = query.get("resourceVersion");
          if (version !== null && isAhead(version)) {
            query.set("resourceVersion", String(Number(version) - AHEAD));
          }
        },
        json: (text) =>
          text.replaceAll(
            /"resourceVersion":"(\d+)"/g,
            (_all, version: string) => `"resourceVersion":"${Number(version) + AHEAD}"`,
          ),
      },
    });
    proxy.cutWatches();
    await exportService(providers.west, "lost");
    await untilMirrored(links(), "west", "lost");

    const stopped = proxy.inject({ match: () => true, fault: { type: "drop" }, times: Infinity });
    restore();
    proxy.cutWatches();
    await providers.west.remove(RESOURCES.services, { namespace: "default", name: "lost" });
    stopped();
    await exportService(providers.west, "since");
    await untilMirrored(links(), "west", "since");
    await eventually(
      async () => {
        const key = { namespace: "default", name: "lost-west" };
        if ((await east.find(RESOURCES.services, key)) !== undefined)
          throw new Error("still there");
      },
      { describe: "the mirror of what the backup did not hold is gone" },
    );
  },
  TIMEOUT_MS,
);
