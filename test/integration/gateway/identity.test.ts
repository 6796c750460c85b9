import { constants } from "node:http2";
import { type ConnectionOptions, type TLSSocket, connect } from "node:tls";
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { gatewayIdentity, peerServerName } from "../../../api/names.ts";
import { type CertificateAndKey, issueLeaf } from "../../../pki/authority.ts";
import { eventually } from "../fixtures.ts";
import { startBackend } from "./loopback.ts";
import { oddLeaf } from "./odd-leaf.ts";
import { FRAME, PREFACE, SETTING, connectRequest, settings } from "./raw-frames.ts";
import { RawSession } from "./raw-session.ts";
import {
  type Identity,
  type Provider,
  createIdentity,
  peerOf,
  startProvider,
} from "./two-gateways.ts";

const HOUR_MS = 3_600_000;
const OPENING = Buffer.concat([PREFACE, settings([SETTING.headerTableSize, 0]), connectRequest(1)]);

/** East and north are west's Peers; south is a stranger. */
let [west, east, north, south]: Identity[] = [];
let provider: Provider;
let dialled = 0;

beforeAll(async () => {
  [west, east, north, south] = await Promise.all(
    ["west", "east", "north", "south"].map(createIdentity),
  );
});

beforeEach(async () => {
  dialled = 0;
  provider = await startProvider(known(west), [known(east), known(north)]);
  const backend = await startBackend((socket) => {
    dialled += 1;
    socket.pipe(socket);
  });
  provider.export("web", [backend]);
});

function known(identity: Identity | undefined): Identity {
  if (identity === undefined) throw new Error("not made yet");
  return identity;
}

/** What a client gives that shows `leaf` under `name`'s SNI and looks at nothing that the server shows. */
function clientOf(name: string, { certificatePem, privateKeyPem }: CertificateAndKey) {
  return {
    cert: certificatePem,
    key: privateKeyPem,
    servername: peerServerName(name),
    minVersion: "TLSv1.3",
    ALPNProtocols: ["h2"],
    rejectUnauthorized: false,
  } satisfies ConnectionOptions;
}

function open(options: ConnectionOptions): { socket: TLSSocket; session: RawSession } {
  const socket = connect({ ...options, host: "127.0.0.1", port: provider.port });
  onTestFinished(() => void socket.destroy());
  return { socket, session: new RawSession(socket) };
}

/** Asks for a Service without waiting for the handshake to be accepted; tells the status, or that there was none. */
async function ask(options: ConnectionOptions): Promise<number | "refused"> {
  const { session } = open(options);
  void session.send(OPENING);
  const answered = async () => await session.status(1);
  const ended = async () => {
    await session.ended();
    return session.frames.some(({ type }) => type === FRAME.headers) ? answered() : "refused";
  };
  return await Promise.race([answered(), ended()]);
}

/** The lines of a metric of the provider. */
async function seriesOf(metric: string): Promise<string[]> {
  const lines = (await provider.registry.metrics()).split("\n");
  return lines.filter((line) => line.startsWith(`isthmus_gateway_${metric}{`));
}

/** A leaf that a cluster's CA issued, for itself unless `as` says for whom. */
const leafOf = async ({ name, ca }: Identity, { as = name, skewMs = 0 } = {}) =>
  await issueLeaf(ca, { identity: gatewayIdentity(as), nowMs: Date.now() + skewMs });

test("each Peer under its own name, with its own certificate, is served", async () => {
  for (const peer of [known(east), known(north)]) {
    expect(await ask(clientOf(peer.name, peer.leaf))).toBe(200);
  }
});

const identities = [gatewayIdentity("east")];

type Client = () => Promise<ConnectionOptions> | ConnectionOptions;
/** East, with a certificate as it should not be. */
const odd =
  (options: () => Parameters<typeof oddLeaf>[0]): Client =>
  async () =>
    clientOf("east", await oddLeaf(options()));
/** East, whose handshake is not as it should be. */
const asEast =
  (change: ConnectionOptions): Client =>
  () => ({
    ...clientOf("east", known(east).leaf),
    ...change,
  });

/** No session and no stream was, and the only refusal counted is for this reason. */
async function untilRefused(reason: string): Promise<void> {
  await eventually(
    async () =>
      expect(await seriesOf("ingress_refused_total")).toEqual([
        `isthmus_gateway_ingress_refused_total{reason="${reason}"} 1`,
      ]),
    { describe: "the refusal is counted" },
  );
  expect(await seriesOf("streams_total")).toEqual([]);
  expect(dialled).toBe(0);
  expect(provider.ingress.activeSessions).toBe(0);
}

describe("a client is refused before a stream of its is looked at", () => {
  test.each<[what: string, client: Client, reason: string]>([
    [
      "of a stranger's CA",
      async () => clientOf("east", await leafOf(known(south), { as: "east" })),
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    ],
    ["that signs for itself", odd(() => ({ identities })), "DEPTH_ZERO_SELF_SIGNED_CERT"],
    [
      "with another name of its own CA",
      async () => clientOf("east", await leafOf(known(east), { as: "east2" })),
      "NotAuthorized",
    ],
    [
      "with the name of another Peer",
      async () => clientOf("east", await leafOf(known(east), { as: "north" })),
      "NotAuthorized",
    ],
    [
      "under the SNI of another Peer",
      () => clientOf("north", known(east).leaf),
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    ],
    [
      "of another Peer's CA, with this one's name",
      async () => clientOf("east", await leafOf(known(north), { as: "east" })),
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    ],
    [
      "of another Peer's CA, with this one's name, under that Peer's own SNI",
      async () => clientOf("north", await leafOf(known(north), { as: "east" })),
      "NotAuthorized",
    ],
    [
      "with two names, of which the first is right",
      odd(() => ({
        identities: [...identities, gatewayIdentity("north")],
        issuer: known(east).ca,
      })),
      "NotAuthorized",
    ],
    [
      "with two names, of which the last is right",
      odd(() => ({
        identities: [gatewayIdentity("north"), ...identities],
        issuer: known(east).ca,
      })),
      "NotAuthorized",
    ],
    [
      "with the name of something else",
      odd(() => ({ identities: ["https://east"], issuer: known(east).ca })),
      "NotAuthorized",
    ],
    [
      "whose certificate has expired",
      async () => clientOf("east", await leafOf(known(east), { skewMs: -25 * HOUR_MS })),
      "CERT_HAS_EXPIRED",
    ],
    [
      "whose certificate is not valid yet",
      async () => clientOf("east", await leafOf(known(east), { skewMs: HOUR_MS })),
      "CERT_NOT_YET_VALID",
    ],
    ["that shows its CA itself", () => clientOf("east", known(east).ca), "INVALID_PURPOSE"],
    [
      "that shows a CA of the right name made by its CA",
      odd(() => ({ identities, issuer: known(east).ca, isAuthority: true })),
      "NotAuthorized",
    ],
    [
      "with a leaf issued by a leaf",
      odd(() => ({ identities, issuer: known(east).leaf })),
      "UNSPECIFIED",
    ],
    [
      "with a certificate for servers only",
      odd(() => ({ identities, issuer: known(east).ca, usages: ["serverAuth"] })),
      "INVALID_PURPOSE",
    ],
    [
      "with a certificate for signing code",
      odd(() => ({ identities, issuer: known(east).ca, usages: ["codeSigning"] })),
      "INVALID_PURPOSE",
    ],
    [
      "with a certificate for no named use",
      odd(() => ({ identities, issuer: known(east).ca, usages: [] })),
      "NotAuthorized",
    ],
    [
      "without a certificate",
      asEast({ cert: undefined, key: undefined }),
      "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE",
    ],
    ["without SNI", asEast({ servername: "" }), "ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM"],
    ["with an IP address for SNI", asEast({ servername: "127.0.0.1" }), "Handshake"],
    ["with its SNI in upper case", asEast({ servername: "EAST.peer.isthmus" }), "Handshake"],
    ["with a dot at the end of its SNI", asEast({ servername: "east.peer.isthmus." }), "Handshake"],
    ["with an SNI that no Peer has", asEast({ servername: peerServerName("south") }), "Handshake"],
    ["with an SNI that every object knows", asEast({ servername: "constructor" }), "Handshake"],
    [
      "that speaks TLS 1.2, and so cannot renegotiate either",
      asEast({ minVersion: "TLSv1.2", maxVersion: "TLSv1.2" }),
      "ERR_SSL_UNSUPPORTED_PROTOCOL",
    ],
    ["that asks for no protocol", asEast({ ALPNProtocols: [] }), "UnknownProtocol"],
    [
      "that asks for HTTP/1.1",
      asEast({ ALPNProtocols: ["http/1.1"] }),
      "ERR_SSL_NO_APPLICATION_PROTOCOL",
    ],
  ])("%s", async (_what, client, reason) => {
    expect(await ask(await client())).toBe("refused");
    await untilRefused(reason);
  });

  test("whose leaf is that of an intermediate CA, though its chain is whole", async () => {
    const root = await oddLeaf({ identities: [], isAuthority: true });
    const issuer = await oddLeaf({ identities: [], isAuthority: true, issuer: root });
    provider.ingress.setPeers([peerOf({ ...known(east), ca: root })]);
    expect(await ask(clientOf("east", await oddLeaf({ identities, issuer })))).toBe("refused");
    await untilRefused("NotAuthorized");
    expect(await ask(clientOf("east", await oddLeaf({ identities, issuer: root })))).toBe(200);
  });
});

test("no session is resumed, and none outlives its Peer, whatever a client keeps", async () => {
  const kept: Buffer[] = [];
  const options = clientOf("east", known(east).leaf);
  const first = open(options);
  first.socket.on("session", (session: Buffer) => kept.push(session));
  await first.session.send(OPENING);
  expect(await first.session.status(1)).toBe(200);
  const own = first.socket.getSession();
  if (own !== undefined) kept.push(own);
  expect(kept.length).toBeGreaterThan(0);
  for (const session of kept) {
    const again = open({ ...options, session });
    await again.session.send(OPENING);
    expect(await again.session.status(1)).toBe(200);
    expect(again.socket.isSessionReused()).toBe(false);
  }

  provider.ingress.setPeers([peerOf(known(north))]);
  expect(await first.session.ended()).toEqual({ goaway: constants.NGHTTP2_CANCEL });
  await eventually(() => expect(provider.ingress.activeSessions).toBe(0), {
    describe: "its sessions end",
  });
  for (const session of kept) expect(await ask({ ...options, session })).toBe("refused");

  // A Peer of the same name with another CA: what was kept of the one before opens nothing.
  provider.ingress.setPeers([peerOf({ ...known(south), name: "east" })]);
  for (const session of kept) expect(await ask({ ...options, session })).toBe("refused");
});
