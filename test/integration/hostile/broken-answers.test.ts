import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { startTcpProxy } from "../../faults/tcp-proxy.ts";
import { useTwoLinks } from "./two-links.ts";
import { faulty, type Trouble, withstands } from "./withstand.ts";

const links = useTwoLinks();

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
