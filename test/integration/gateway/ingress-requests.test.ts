import { once } from "node:events";
import { type ClientHttp2Session, type OutgoingHttpHeaders, connect, constants } from "node:http2";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import {
  gatewayIdentity,
  GATEWAY_PATH_TEST_PATH,
  PATH_TEST_ANSWER_HEADER,
  PATH_TEST_MAX_BYTES,
  peerServerName,
} from "../../../api/names.ts";
import { MAX_PATH_TESTS } from "../../../gateway/ingress/path-tests.ts";
import { clientTlsOptions } from "../../../pki/tls.ts";
import { startEcho } from "./loopback.ts";
import { type Identity, type Provider, createIdentity, startProvider } from "./two-gateways.ts";

let west: Identity;
let east: Identity;

beforeAll(async () => {
  [west, east] = await Promise.all([createIdentity("west"), createIdentity("east")]);
});

/** A session of east's with a provider, by a client that is not ours. */
function sessionTo(provider: Provider): ClientHttp2Session {
  const session = connect(`https://127.0.0.1:${provider.port}`, {
    ...clientTlsOptions({
      leaf: east.leaf,
      bundlePem: west.ca.certificatePem,
      identity: gatewayIdentity("west"),
      serverName: peerServerName("east"),
    }),
  });
  session.on("error", () => undefined);
  onTestFinished(() => session.destroy());
  return session;
}

/** Status, reason and body of the answer to a request. */
async function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders) {
  const stream = session.request(headers);
  stream.on("error", () => undefined);
  const [answer]: { [name: string]: unknown }[] = await once(stream, "response");
  if (headers[":method"] === "CONNECT" && answer?.[":status"] === 200) {
    stream.destroy();
    return { status: 200, reason: undefined, body: "" };
  }
  let body = "";
  stream.on("data", (chunk: Buffer) => (body += chunk.toString()));
  await once(stream, "close");
  return { status: answer?.[":status"], reason: answer?.["isthmus-reason"], body };
}

const connectTo = (authority: string): OutgoingHttpHeaders => ({
  ":method": "CONNECT",
  ":authority": authority,
});

test.each([
  ["web.shop.svc:80", 200, undefined],
  ["web.shop.svc:82", 403, "PortNotExported"],
  ["web.shop.svc:81", 503, "NoReadyEndpoints"],
  ["other.shop.svc:80", 404, "NotExported"],
  ["web.other.svc:80", 404, "NotExported"],
  ["127.0.0.1:80", 400, "AuthorityInvalid"],
  ["[::1]:80", 400, "AuthorityInvalid"],
  ["kubernetes.default:443", 400, "AuthorityInvalid"],
  ["web.shop.svc.cluster.local:80", 400, "AuthorityInvalid"],
  ["web.shop.svc.:80", 400, "AuthorityInvalid"],
  ["WEB.shop.svc:80", 400, "AuthorityInvalid"],
  ["web.shop.svc:080", 400, "AuthorityInvalid"],
  ["web.shop.svc:65536", 400, "AuthorityInvalid"],
  ["web.shop.svc", 400, "AuthorityInvalid"],
  ["%77eb.shop.svc:80", 400, "AuthorityInvalid"],
])("CONNECT %s is answered %i %s", async (authority, status, reason) => {
  const provider = await startProvider(west, [east]);
  provider.export("web", [await startEcho()]);
  expect(await ask(sessionTo(provider), connectTo(authority))).toMatchObject({ status, reason });
});

test("other methods and paths are refused", async () => {
  const session = sessionTo(await startProvider(west, [east]));
  expect(await ask(session, { ":method": "GET", ":path": "/" })).toMatchObject({ status: 405 });
  expect(await ask(session, { ":method": "POST", ":path": "/.isthmus/ready" })).toMatchObject({
    status: 405,
  });
});

test("the ready probe tells the cluster's name, and from the beginning of a drain that it drains", async () => {
  const provider = await startProvider(west, [east]);
  const session = sessionTo(provider);
  const probe = { ":method": "GET", ":path": "/.isthmus/ready" };
  const ready = await ask(session, probe);
  expect(ready.status).toBe(200);
  expect(JSON.parse(ready.body)).toEqual({ cluster: "west", draining: false });

  provider.ingress.announceDrain();
  const draining = await ask(session, probe);
  expect(draining.status).toBe(200);
  expect(JSON.parse(draining.body)).toEqual({ cluster: "west", draining: true });
});

/** A path test that sends so many bytes and asks for so many. */
function pathTest(session: ClientHttp2Session, sentBytes: number, askedBytes: number) {
  const stream = session.request({
    ":method": "POST",
    ":path": GATEWAY_PATH_TEST_PATH,
    [PATH_TEST_ANSWER_HEADER]: String(askedBytes),
  });
  stream.on("error", () => undefined);
  stream.write(Buffer.alloc(sentBytes));
  return stream;
}

/** Ends a path test's body; status and length of its answer. */
async function answerOf(stream: ReturnType<typeof pathTest>) {
  const answered: Promise<{ [name: string]: unknown }[]> = once(stream, "response");
  stream.end();
  const [answer] = await answered;
  let bytes = 0;
  stream.on("data", (chunk: Buffer) => (bytes += chunk.length));
  await once(stream, "close");
  return { status: answer?.[":status"], bytes };
}

test("a path test carries up to its bound each way, and nothing beyond", async () => {
  const session = sessionTo(await startProvider(west, [east]));
  const most = PATH_TEST_MAX_BYTES;
  expect(await answerOf(pathTest(session, most, most))).toEqual({ status: 200, bytes: most });
  expect(await answerOf(pathTest(session, 1, most + 1))).toMatchObject({ status: 400 });
  expect(await answerOf(pathTest(session, 1, -1))).toMatchObject({ status: 400 });
  expect(await answerOf(pathTest(session, most + 1, 1))).toMatchObject({ status: 400 });
});

test("path tests are few at once, and leave their places when they end", async () => {
  const session = sessionTo(await startProvider(west, [east]));
  const open = Array.from({ length: MAX_PATH_TESTS }, () => pathTest(session, 1, 1));
  await ask(session, { ":method": "GET", ":path": "/.isthmus/ready" });
  expect(await answerOf(pathTest(session, 1, 1))).toMatchObject({ status: 503 });
  for (const stream of open) {
    expect(await answerOf(stream)).toEqual({ status: 200, bytes: 1 });
  }
  expect(await answerOf(pathTest(session, 1, 1))).toEqual({ status: 200, bytes: 1 });
});

test("a session outlives thousands of streams that are reset, as busy clients reset them", async () => {
  const provider = await startProvider(west, [east]);
  provider.export("web", [await startEcho()]);
  const session = sessionTo(provider);
  for (let round = 0; round < 30; round += 1) {
    const streams = Array.from({ length: 100 }, () =>
      session.request(connectTo("web.shop.svc:80")),
    );
    await Promise.all(
      streams.map(async (stream) => {
        await once(stream, "response");
        stream.close(constants.NGHTTP2_CANCEL);
        await once(stream, "close");
      }),
    );
  }
  expect(await ask(session, connectTo("web.shop.svc:80"))).toMatchObject({ status: 200 });
});
