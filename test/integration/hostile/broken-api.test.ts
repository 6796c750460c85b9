import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { RESOURCES } from "../../../api/resources.ts";
import { startTcpProxy, type Weather } from "../../faults/tcp-proxy.ts";
import { eventually } from "../fixtures.ts";
import { HURRIED } from "../hurried-clock.ts";
import { useTwoLinks } from "./two-links.ts";
import {
  exportService,
  faulty,
  mirrorMs,
  type Trouble,
  untilMirrored,
  withstands,
} from "./withstand.ts";

// The pauses of the link are not what these tests are about; its rates are bounded though they are hurried, too.
const links = useTwoLinks(undefined, HURRIED);

const TIMEOUT_MS = 180_000;
const JSON_TYPE = { "content-type": "application/json" };
const HTML_TYPE = { "content-type": "text/html" };
const LOGIN_PAGE = "<html><h1>Please log in</h1></html>";
const TOLERATED = { type: "ApiReachable", says: "False ApiLostTolerated" } as const;
const NOT_KUBERNETES = {
  ...TOLERATED,
  message: /an answer that is not of a Kubernetes API server/,
};
const UNREACHABLE = { ...TOLERATED, message: /cannot be reached/ };
const SERVER_ERROR = { ...TOLERATED, message: /look at the provider's API server/ };

/** Every request is answered like this. */
function always(statusCode: number, headers: Record<string, string>, body: string | Uint8Array) {
  return faulty({ type: "respond", statusCode, headers, body });
}

/** The lists of the server, with other items. */
function lists(change: (items: { metadata: object }[]) => unknown): Trouble["begin"] {
  const json = (text: string): string => {
    const list: { items: { metadata: object }[] } = JSON.parse(text);
    return JSON.stringify({ ...list, items: change(list.items) });
  };
  return faulty({ type: "edit", json }, ({ verb }) => verb === "list");
}

/** Each watch brings this one event and ends. */
function watches(event: unknown): Trouble["begin"] {
  return faulty(
    { type: "body", text: `${JSON.stringify(event)}\n` },
    ({ verb }) => verb === "watch",
  );
}

const OTHER_KIND = {
  kind: "Pod",
  apiVersion: "v1",
  metadata: { name: "isthmus-identity", namespace: "isthmus-system", resourceVersion: "7" },
};
/** A Status in which nothing has the type it should have. */
const ODD_STATUS = { kind: "Status", code: "504", message: 5, reason: [], details: { causes: {} } };

test.each<[string, string, Trouble]>([
  [
    "html",
    "a login page with status 200",
    { begin: always(200, HTML_TYPE, LOGIN_PAGE), ...NOT_KUBERNETES },
  ],
  [
    "missing",
    "a page not found of some web server",
    { begin: always(404, HTML_TYPE, LOGIN_PAGE), ...NOT_KUBERNETES },
  ],
  [
    "other-kind",
    "objects of another kind",
    { begin: always(200, JSON_TYPE, JSON.stringify(OTHER_KIND)), ...NOT_KUBERNETES },
  ],
  ["no-items", "lists whose items are null", { begin: lists(() => null), ...NOT_KUBERNETES }],
  [
    "no-version-watch",
    "watches that bring an object without a version",
    {
      begin: watches({ type: "ADDED", object: { ...OTHER_KIND, metadata: { name: "a" } } }),
      ...NOT_KUBERNETES,
    },
  ],
  [
    "odd-status",
    "watches that end with a Status of wrong types",
    { begin: watches({ type: "ERROR", object: ODD_STATUS }), ...SERVER_ERROR },
  ],
  ["cut", "answers that end in the middle", { begin: faulty({ type: "cut" }), ...UNREACHABLE }],
  [
    "gzip",
    "bytes that are said to be gzip and are nothing",
    {
      begin: always(200, { ...JSON_TYPE, "content-encoding": "gzip" }, randomBytes(5000)),
      ...NOT_KUBERNETES,
    },
  ],
  [
    "headers",
    "headers without end",
    {
      begin: always(200, { ...JSON_TYPE, "x-filler": "x".repeat(200_000) }, "{}"),
      ...NOT_KUBERNETES,
    },
  ],
])(
  "a link withstands %s: %s",
  async (name, _what, trouble) => {
    const { requestsPerSecond } = await withstands(links(), name, trouble);
    expect(requestsPerSecond).toBeLessThan(40);
  },
  TIMEOUT_MS,
);

test(
  "a redirect to another host is not followed, so the token does not go there",
  async () => {
    const other = await startTcpProxy("127.0.0.1", 9);
    try {
      const location = `https://127.0.0.1:${other.port}/api/v1/services`;
      const begin = always(307, { location }, "");
      await withstands(links(), "redirect", { begin, ...NOT_KUBERNETES });
      expect(other.connections).toBe(0);
    } finally {
      await other.close();
    }
  },
  TIMEOUT_MS,
);

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
    "429 and the wish to be left alone for some seconds",
    {
      begin: faulty({
        type: "respond",
        statusCode: 429,
        headers: { "retry-after": "5" },
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
