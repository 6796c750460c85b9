import { once } from "node:events";
import {
  type ConnectionOptions,
  type Server,
  type TLSSocket,
  connect,
  createServer,
} from "node:tls";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type CertificateAndKey, createAuthority, issueLeaf } from "./authority.ts";
import { PeerContexts, type TrustedPeer, clientTlsOptions } from "./tls.ts";

const NOW_MS = Date.now();
const DAY_MS = 86_400_000;
const identityOf = (cluster: string) => `spiffe://${cluster}/isthmus/gateway`;

interface Cluster {
  ca: CertificateAndKey;
  leaf: CertificateAndKey;
}

async function createCluster(name: string): Promise<Cluster> {
  const ca = await createAuthority({ clusterName: name, nowMs: NOW_MS });
  return { ca, leaf: await issueLeaf(ca, { identity: identityOf(name), nowMs: NOW_MS }) };
}

let west: Cluster;
let east: Cluster;
let north: Cluster;
let contexts: PeerContexts;
let server: Server;

const peerOf = (name: string, cluster: Cluster): TrustedPeer => ({
  name,
  serverName: `${name}.peer.isthmus`,
  bundlePem: cluster.ca.certificatePem,
  identity: identityOf(name),
});

/** The options of a well-behaved client from `name`. */
const clientOf = (name: string, leaf: CertificateAndKey): ConnectionOptions =>
  clientTlsOptions({
    leaf,
    bundlePem: west.ca.certificatePem,
    identity: identityOf("west"),
    serverName: `${name}.peer.isthmus`,
  });

function portOf(listening: Server): number {
  const address = listening.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** What the client hears: the greeting the server sends to whom it accepts, or why not. */
async function greet(options: ConnectionOptions): Promise<string> {
  const port = portOf(server);
  const socket = connect({ ...options, host: "127.0.0.1", port });
  return await new Promise((resolve) => {
    let heard = "";
    socket.on("data", (chunk: Buffer) => (heard += chunk.toString()));
    socket.on("error", (error) => resolve(`refused: ${error.message}`));
    socket.on("close", () => resolve(heard === "" ? "refused: closed" : heard));
  });
}

beforeAll(async () => {
  west = await createCluster("west");
  east = await createCluster("east");
  north = await createCluster("north");
});

beforeEach(async () => {
  contexts = new PeerContexts();
  contexts.setLeaf(west.leaf);
  contexts.setPeers([peerOf("east", east), peerOf("north", north)]);
  server = createServer(contexts.serverOptions({ handshakeTimeoutMs: 5000 }), (socket) => {
    socket.on("error", () => socket.destroy());
    const verdict = contexts.verify(socket);
    if (verdict.ok) {
      socket.end(`hello ${verdict.peer.name}${socket.isSessionReused() ? " again" : ""}`);
    } else {
      socket.destroy();
    }
  });
  server.on("tlsClientError", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterEach(async () => {
  server.close();
  await once(server, "close");
});

describe("a server with peers", () => {
  test("accepts each peer under its own name", async () => {
    expect(await greet(clientOf("east", east.leaf))).toBe("hello east");
    expect(await greet(clientOf("north", north.leaf))).toBe("hello north");
  });

  test("refuses a certificate of another CA that claims the right identity", async () => {
    const forged = await issueLeaf(north.ca, { identity: identityOf("east"), nowMs: NOW_MS });
    expect(await greet(clientOf("east", forged))).toMatch(/^refused/);
  });

  test("refuses the right CA with another identity", async () => {
    const other = await issueLeaf(east.ca, { identity: identityOf("north"), nowMs: NOW_MS });
    expect(await greet(clientOf("east", other))).toMatch(/^refused/);
    const longer = await issueLeaf(east.ca, { identity: `${identityOf("east")}2`, nowMs: NOW_MS });
    expect(await greet(clientOf("east", longer))).toMatch(/^refused/);
  });

  test("refuses a peer under the name of another", async () => {
    expect(await greet(clientOf("north", east.leaf))).toMatch(/^refused/);
    expect(await greet(clientOf("east", north.leaf))).toMatch(/^refused/);
  });

  test("refuses a name that no peer has", async () => {
    expect(await greet(clientOf("south", east.leaf))).toMatch(/^refused/);
  });

  test("refuses a client that gives no name", async () => {
    const { servername: _left, ...options } = clientOf("east", east.leaf);
    expect(await greet(options)).toMatch(/^refused/);
  });

  test("refuses a client without a certificate", async () => {
    const { cert: _cert, key: _key, ...options } = clientOf("east", east.leaf);
    expect(await greet(options)).toMatch(/^refused/);
  });

  test("refuses a certificate that has expired or is not valid yet", async () => {
    const identity = identityOf("east");
    const expired = await issueLeaf(east.ca, { identity, nowMs: NOW_MS, lifetimeMs: -1000 });
    expect(await greet(clientOf("east", expired))).toMatch(/^refused/);
    const early = await issueLeaf(east.ca, { identity, nowMs: NOW_MS + DAY_MS });
    expect(await greet(clientOf("east", early))).toMatch(/^refused/);
  });

  test("refuses TLS 1.2", async () => {
    const options = clientOf("east", east.leaf);
    expect(await greet({ ...options, minVersion: "TLSv1.2", maxVersion: "TLSv1.2" })).toMatch(
      /^refused/,
    );
  });

  test("refuses everyone until it has a leaf", async () => {
    contexts.setLeaf(undefined);
    expect(await greet(clientOf("east", east.leaf))).toMatch(/^refused/);
  });

  test("does not resume a session", async () => {
    const options = clientOf("east", east.leaf);
    const port = portOf(server);
    const sessions: Buffer[] = [];
    const first: TLSSocket = connect({ ...options, host: "127.0.0.1", port });
    first.on("session", (session: Buffer) => sessions.push(session));
    first.resume();
    await once(first, "close");
    const session = sessions[0];
    expect(await greet(session === undefined ? options : { ...options, session })).toBe(
      "hello east",
    );
  });
});

describe("a change counts from the next handshake on", () => {
  test("when a peer is removed and comes back", async () => {
    contexts.setPeers([peerOf("north", north)]);
    expect(await greet(clientOf("east", east.leaf))).toMatch(/^refused/);
    contexts.setPeers([peerOf("east", east)]);
    expect(await greet(clientOf("east", east.leaf))).toBe("hello east");
  });

  test("when a peer's CA is rotated, with both in its bundle meanwhile", async () => {
    const next = await createCluster("east");
    const both = {
      ca: { ...east.ca, certificatePem: east.ca.certificatePem + next.ca.certificatePem },
    };
    contexts.setPeers([peerOf("east", { ...east, ...both })]);
    expect(await greet(clientOf("east", east.leaf))).toBe("hello east");
    expect(await greet(clientOf("east", next.leaf))).toBe("hello east");
    contexts.setPeers([peerOf("east", next)]);
    expect(await greet(clientOf("east", east.leaf))).toMatch(/^refused/);
  });

  test("when the leaf is replaced", async () => {
    const renewed = await issueLeaf(west.ca, { identity: identityOf("west"), nowMs: NOW_MS });
    contexts.setLeaf(renewed);
    const port = portOf(server);
    const socket = connect({ ...clientOf("east", east.leaf), host: "127.0.0.1", port });
    await once(socket, "secureConnect");
    expect(socket.getPeerX509Certificate()?.toString().trim()).toBe(renewed.certificatePem.trim());
    socket.destroy();
  });
});

describe("a client", () => {
  test("refuses a server of another CA", async () => {
    contexts.setLeaf(await issueLeaf(north.ca, { identity: identityOf("west"), nowMs: NOW_MS }));
    expect(await greet(clientOf("east", east.leaf))).toMatch(/^refused: .*(certificate|issuer)/);
  });

  test("refuses a server of the right CA with another identity, and says so", async () => {
    contexts.setLeaf(await issueLeaf(west.ca, { identity: identityOf("south"), nowMs: NOW_MS }));
    expect(await greet(clientOf("east", east.leaf))).toContain(
      "names spiffe://south/isthmus/gateway, expected exactly spiffe://west/isthmus/gateway",
    );
  });
});

test("peers whose bundle is broken or whose name is taken are left out, the others work", async () => {
  const refused = contexts.setPeers([
    peerOf("east", east),
    { ...peerOf("east", north), name: "copy" },
    { ...peerOf("north", north), bundlePem: "nothing" },
  ]);
  expect([...refused.keys()]).toEqual(["copy", "north"]);
  expect(await greet(clientOf("east", east.leaf))).toBe("hello east");
});
