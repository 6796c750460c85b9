import { constants } from "node:http2";
import { beforeAll, describe, expect, test } from "vitest";
import { ANNOTATIONS } from "../../../api/names.ts";
import { forbidTargets } from "../../../gateway/ingress/forbidden-addresses.ts";
import { eventually } from "../fixtures.ts";
import { startBackend, startEcho } from "./loopback.ts";
import { FRAME, connectRequest, frame, headers } from "./raw-frames.ts";
import { type RawSession, openRawSession } from "./raw-session.ts";
import { type Identity, type Provider, startProvider } from "./two-gateways.ts";
import { createClusters } from "./identities.ts";

let west: Identity;
let east: Identity;
let north: Identity;

beforeAll(async () => {
  ({ west, east, north } = await createClusters());
});

const sessionOf = async (provider: Provider, as: Identity) =>
  await openRawSession({ port: provider.port, as, to: west });

/** The status of an answer, or the code of the RST_STREAM in its place. */
async function outcome(session: RawSession, streamId: number): Promise<string> {
  const answer = await session.until(
    `an answer on stream ${streamId}`,
    ({ type, streamId: id }) =>
      id === streamId && (type === FRAME.headers || type === FRAME.rstStream),
  );
  return answer.type === FRAME.headers
    ? String(await session.status(streamId))
    : `reset ${answer.payload.readUInt32BE(0)}`;
}

const MALFORMED = `reset ${constants.NGHTTP2_PROTOCOL_ERROR}`;

test("a CONNECT stream is answered by its authority: as a Service of ours, with 400, or as malformed", async () => {
  const provider = await startProvider(west, [east]);
  provider.export("web", [await startEcho()]);
  // What nghttp2 finds malformed itself (RFC 9113 section 8.3.1) never reaches us.
  const expected: Record<string, string> = {
    "web.shop.svc:80": "200",
    "10.0.0.1:80": "400",
    "127.0.0.1:80": "400",
    "[::1]:80": "400",
    "[::ffff:127.0.0.1]:80": "400",
    "::1": "400",
    "2130706433:80": "400",
    "0x7f.1:80": "400",
    "169.254.169.254:80": "400",
    "kubernetes.default:443": "400",
    "kubernetes.default.svc:443": "404",
    "localhost:15020": "400",
    "example.com:443": "400",
    "web.shop.svc.cluster.local:80": "400",
    "web.shop.svc:0": "400",
    "web.shop.svc:65536": "400",
    "web.shop.svc:99999999999999999999": "400",
    "web.shop.svc:-80": "400",
    "web.shop.svc:+80": "400",
    "web.shop.svc:080": "400",
    "web.shop.svc:0x50": "400",
    "web.shop.svc:80:80": "400",
    "web.shop.svc": "400",
    "web.shop.svc:": "400",
    "WEB.shop.svc:80": "400",
    "web.shop.SVC:80": "400",
    "web.shop.svc.:80": "400",
    "web..shop.svc:80": "400",
    ".shop.svc:80": "400",
    "web.-shop.svc:80": "400",
    "%77eb.shop.svc:80": "400",
    "web%2eshop.svc:80": "400",
    "web.shop.svc%3a80:80": "400",
    "xn--wb-bja.shop.svc:80": "404",
    [`${"a".repeat(64)}.shop.svc:80`]: "400",
    [`${"a".repeat(3000)}.shop.svc:80`]: "400",
    "web.shop.svc:80,other.shop.svc:80": "400",
    "user@web.shop.svc:80": MALFORMED,
    "web.shop.svc:80@evil:80": MALFORMED,
    "http://web.shop.svc:80": MALFORMED,
    "web.shop.svc:80/": MALFORMED,
    "web.shop.svc:80?x": MALFORMED,
    "web.shop.svc:80#x": MALFORMED,
    "web\\shop.svc:80": MALFORMED,
    "": MALFORMED,
    "web\0.shop.svc:80": MALFORMED,
    "web.shop.svc:80\r\nx: y": MALFORMED,
    "web.shop.svc:80 ": MALFORMED,
    "web shop.svc:80": MALFORMED,
    "wéb.shop.svc:80": MALFORMED,
  };
  const session = await sessionOf(provider, east);
  const authorities = Object.keys(expected);
  const requests = authorities.map((authority, index) => connectRequest(2 * index + 1, authority));
  await session.send(...requests);
  const outcomes: Record<string, string> = {};
  for (const [index, authority] of authorities.entries()) {
    outcomes[authority] = await outcome(session, 2 * index + 1);
  }
  expect(outcomes).toEqual(expected);
  expect(await session.answersPing()).toBe(true);
});

const CONNECT = [":method", "CONNECT"] as const;
const AUTHORITY = [":authority", "web.shop.svc:80"] as const;

test("a CONNECT with other pseudo-headers than method and authority, once each, is malformed", async () => {
  const provider = await startProvider(west, [east]);
  provider.export("web", [await startEcho()]);
  const session = await sessionOf(provider, east);
  // RFC 9113 sections 8.1.1, 8.2, 8.3 and 8.5; nghttp2 sees to all of it.
  const requests: [what: string, fields: (readonly [string, string])[]][] = [
    ["without an authority", [CONNECT]],
    ["with only a host", [CONNECT, ["host", "web.shop.svc:80"]]],
    ["with two authorities", [CONNECT, AUTHORITY, [":authority", "other.shop.svc:80"]]],
    ["with two equal authorities", [CONNECT, AUTHORITY, AUTHORITY]],
    ["with a scheme", [CONNECT, AUTHORITY, [":scheme", "https"]]],
    ["with a path", [CONNECT, AUTHORITY, [":path", "/"]]],
    ["with scheme and path", [CONNECT, AUTHORITY, [":scheme", "https"], [":path", "/"]]],
    [
      "with a protocol (RFC 8441, which is not offered)",
      [CONNECT, AUTHORITY, [":scheme", "https"], [":path", "/"], [":protocol", "websocket"]],
    ],
    ["with an unknown pseudo-header", [CONNECT, AUTHORITY, [":secret", "x"]]],
    ["with an authority after a header", [CONNECT, ["x", "y"], AUTHORITY]],
    ["with two methods", [CONNECT, [":method", "GET"], AUTHORITY]],
    ["with a header in upper case", [CONNECT, AUTHORITY, ["X-Y", "z"]]],
    ["with a header of HTTP/1.1", [CONNECT, AUTHORITY, ["transfer-encoding", "chunked"]]],
  ];
  await session.send(...requests.map(([, fields], index) => headers(2 * index + 1, fields)));
  for (const [index, [what]] of requests.entries()) {
    expect(`${what}: ${await outcome(session, 2 * index + 1)}`).toBe(`${what}: ${MALFORMED}`);
  }
  expect(await session.answersPing()).toBe(true);
});

test("a CONNECT is judged by its authority alone, whatever its host says", async () => {
  const provider = await startProvider(west, [east]);
  provider.export("web", [await startEcho()]);
  const session = await sessionOf(provider, east);
  await session.send(headers(1, [CONNECT, AUTHORITY, ["host", "other.shop.svc:80"]]));
  expect(await outcome(session, 1)).toBe("200");
  await session.send(
    headers(3, [CONNECT, [":authority", "other.shop.svc:80"], ["host", "web.shop.svc:80"]]),
  );
  expect(await outcome(session, 3)).toBe("404");
});

test("an endpoint on loopback is never dialled, however its address is spelled", async () => {
  let dialled = 0;
  const backend = await startBackend(
    (socket) => {
      dialled += 1;
      socket.end();
    },
    { host: "::" },
  );
  const provider = await startProvider(west, [east], { forbids: forbidTargets(() => false) });
  const session = await sessionOf(provider, east);
  const addresses = [
    "127.0.0.1",
    "127.255.255.254",
    "127.1",
    "0177.0.0.1",
    "127.0.0.01",
    "0x7f000001",
    "2130706433",
    "localhost",
    "0.0.0.0",
    "0",
    "::",
    "::1",
    "0:0:0:0:0:0:0:1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::FFFF:7F00:1",
    "64:ff9b::127.0.0.1",
    "2002:7f00:1::",
    "::1%lo",
    "fe80::1%lo",
    "",
  ];
  for (const [index, address] of addresses.entries()) {
    provider.export(`web-${index}`, []);
    provider.addEndpoints(`web-${index}`, 0, [address], backend);
    await session.send(connectRequest(2 * index + 1, `web-${index}.shop.svc:80`));
  }
  for (const [index, address] of addresses.entries()) {
    expect(`${address}: ${await outcome(session, 2 * index + 1)}`).toBe(`${address}: 503`);
  }
  expect(dialled).toBe(0);
});

/** A session with an open stream 1, which echoes. */
async function openEcho(provider: Provider, as: Identity, authority?: string) {
  const session = await sessionOf(provider, as);
  await session.send(connectRequest(1, authority));
  expect(await session.status(1)).toBe(200);
  const echoes = async () => {
    const before = session.frames.filter(isData).length;
    await session.send(frame(FRAME.data, { streamId: 1, payload: Buffer.from("x") }));
    return await eventually(
      () => {
        if (session.frames.some(isReset)) return false;
        if (session.frames.filter(isData).length === before) throw new Error(session.seen());
        return true;
      },
      { describe: "an echo" },
    );
  };
  const ending = async () => {
    const reset = await session.until("a reset", isReset);
    expect(session.frames.filter(isData).every(({ flags }) => flags === 0)).toBe(true);
    return reset.payload.readUInt32BE(0);
  };
  return { session, echoes, ending };
}

const isReset = ({ type, streamId }: { type: number; streamId: number }) =>
  type === FRAME.rstStream && streamId === 1;
const isData = ({ type, payload }: { type: number; payload: Buffer }) =>
  type === FRAME.data && payload.length > 0;

describe("streams that would not be admitted any more", () => {
  test.each<[what: string, change: (provider: Provider) => void]>([
    ["when their Service is gone", (provider) => provider.unexport("web")],
    [
      "when export is false",
      (provider) => provider.export("web", [], { [ANNOTATIONS.export]: "false" }),
    ],
    [
      "when export-to leaves their consumer out",
      (provider) => provider.export("web", [], { [ANNOTATIONS.exportTo]: "north" }),
    ],
    [
      "when export-to cannot be read",
      (provider) => provider.export("web", [], { [ANNOTATIONS.exportTo]: "*" }),
    ],
    [
      "when export-ports leaves their port out",
      (provider) => provider.export("web", [], { [ANNOTATIONS.exportPorts]: "admin" }),
    ],
  ])("are reset after the grace %s", async (_what, change) => {
    const provider = await startProvider(west, [east], { unexportGraceMs: 200 });
    provider.export("web", [await startEcho()]);
    const stream = await openEcho(provider, east);
    change(provider);
    expect(await stream.ending()).toBe(constants.NGHTTP2_INTERNAL_ERROR);
    await eventually(
      async () =>
        expect(await provider.registry.metrics()).toMatch(
          /isthmus_gateway_streams_total\{role="ingress",link="east",service="(shop\/web)?",result="reset",reason="Unexported"\} 1/,
        ),
      { describe: "the reset is counted" },
    );
    expect(await stream.session.answersPing()).toBe(true);
  });

  test("are spared when their Service is exported again within the grace", async () => {
    const provider = await startProvider(west, [east], { unexportGraceMs: 200 });
    const echo = await startEcho();
    for (const name of ["web", "other"]) provider.export(name, [echo]);
    const spared = await openEcho(provider, east);
    const other = await openEcho(provider, east, "other.shop.svc:80");
    provider.unexport("web");
    provider.unexport("other");
    provider.export("web", []);
    // The grace of both began together.
    await other.ending();
    expect(await spared.echoes()).toBe(true);
    provider.unexport("web");
    await spared.ending();
  });

  test("leave those of other consumers and ports alone", async () => {
    const provider = await startProvider(west, [east, north], { unexportGraceMs: 0 });
    provider.export("web", [await startEcho()]);
    const [ours, theirs] = [await openEcho(provider, east), await openEcho(provider, north)];
    provider.export("web", [], {
      [ANNOTATIONS.exportTo]: "north",
      [ANNOTATIONS.exportPorts]: "80",
    });
    await ours.ending();
    expect(await theirs.echoes()).toBe(true);
  });
});

test("a stream lives on when its endpoint is not ready any more", async () => {
  const provider = await startProvider(west, [east], { unexportGraceMs: 0 });
  provider.export("web", [await startEcho()]);
  const stream = await openEcho(provider, east);
  provider.addEndpoints("web", 0, [], 80);
  await stream.session.send(connectRequest(3));
  expect(await outcome(stream.session, 3)).toBe("503");
  expect(await stream.echoes()).toBe(true);
});
