import { once } from "node:events";
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from "node:http2";
import { createServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { gatewayIdentity, peerServerName } from "../../../api/names.ts";
import { type CertificateAndKey, createAuthority, issueLeaf } from "../../../pki/authority.ts";
import { PeerContexts } from "../../../pki/tls.ts";
import { GATEWAY_READY_PATH } from "../../../api/names.ts";
import { GatewayProbe } from "./gateway-probe.ts";

interface Cluster {
  name: string;
  ca: CertificateAndKey;
  leaf: CertificateAndKey;
}

const NEVER = new AbortController().signal;
const TIMEOUT_MS = 2000;

async function cluster(name: string, identity = gatewayIdentity(name)): Promise<Cluster> {
  const nowMs = Date.now();
  const ca = await createAuthority({ clusterName: name, nowMs });
  return { name, ca, leaf: await issueLeaf(ca, { identity, nowMs }) };
}

/** A provider's ingress, as far as probes see it. */
async function listen(provider: Cluster, consumers: Cluster[], status = 200) {
  const contexts = new PeerContexts();
  contexts.setLeaf(provider.leaf);
  contexts.setPeers(
    consumers.map(({ name, ca }) => ({
      name,
      serverName: peerServerName(name),
      bundlePem: ca.certificatePem,
      identity: gatewayIdentity(name),
    })),
  );
  const server: Http2SecureServer = createSecureServer({
    ...contexts.serverOptions({ handshakeTimeoutMs: TIMEOUT_MS }),
  });
  const sessions = new Set<ServerHttp2Session>();
  const answers = { status, sessions: 0, drains: false };
  server.on("session", (session) => {
    answers.sessions += 1;
    sessions.add(session);
    session.on("error", () => session.destroy());
  });
  server.on("sessionError", () => undefined);
  server.on("stream", (stream, headers) => {
    stream.respond({
      ":status": headers[":path"] === GATEWAY_READY_PATH ? answers.status : 404,
      ...(answers.drains && { "isthmus-draining": "true" }),
    });
    stream.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    port,
    answers,
    cut: () => {
      for (const session of sessions) session.destroy();
    },
  };
}

function probeOf(port: number, own: Cluster, provider: Cluster, identity = provider.name) {
  const probe = new GatewayProbe("127.0.0.1", port, {
    ownCluster: own.name,
    leaf: own.leaf,
    bundlePem: provider.ca.certificatePem,
    identity: gatewayIdentity(identity),
  });
  onTestFinished(() => probe.close());
  return probe;
}

async function reasonOf(probe: GatewayProbe): Promise<string> {
  const result = await probe.probe(TIMEOUT_MS, NEVER);
  return result.ok ? "ok" : result.failure.reason;
}

describe("a probe of a gateway", () => {
  it("is good when the gateway says it is ready, over one session from probe to probe", async () => {
    const [west, east] = await Promise.all([cluster("west"), cluster("east")]);
    const gateway = await listen(west, [east]);
    const probe = probeOf(gateway.port, east, west);
    for (let round = 0; round < 15; round += 1) {
      expect(await probe.probe(TIMEOUT_MS, NEVER)).toMatchObject({ ok: true });
    }
    expect(gateway.answers.sessions).toBe(1);
  });

  it("opens a new session when the old one is gone", async () => {
    const [west, east] = await Promise.all([cluster("west"), cluster("east")]);
    const gateway = await listen(west, [east]);
    const probe = probeOf(gateway.port, east, west);
    await probe.probe(TIMEOUT_MS, NEVER);
    gateway.cut();
    await expect
      .poll(async () => (await probe.probe(TIMEOUT_MS, NEVER)).ok, { timeout: TIMEOUT_MS })
      .toBe(true);
    expect(gateway.answers.sessions).toBeGreaterThan(1);
  });

  it("stays good while a gateway drains, and asks the next one behind its address", async () => {
    const [west, east] = await Promise.all([cluster("west"), cluster("east")]);
    const gateway = await listen(west, [east]);
    const probe = probeOf(gateway.port, east, west);
    await probe.probe(TIMEOUT_MS, NEVER);
    gateway.answers.drains = true;
    expect(await probe.probe(TIMEOUT_MS, NEVER)).toMatchObject({ ok: true });
    expect(gateway.answers.sessions).toBe(1);
    expect(await probe.probe(TIMEOUT_MS, NEVER)).toMatchObject({ ok: true });
    expect(gateway.answers.sessions).toBe(2);
  });

  it("names a gateway that drains, and leaves its session", async () => {
    const [west, east] = await Promise.all([cluster("west"), cluster("east")]);
    const gateway = await listen(west, [east], 503);
    const probe = probeOf(gateway.port, east, west);
    const result = await probe.probe(TIMEOUT_MS, NEVER);
    expect(result).toMatchObject({ ok: false, failure: { reason: "GatewayDraining" } });
    gateway.answers.status = 200;
    expect(await probe.probe(TIMEOUT_MS, NEVER)).toMatchObject({ ok: true });
    expect(gateway.answers.sessions).toBe(2);
  });

  it("names a gateway of another CA, of another identity, and one that does not know us", async () => {
    const [west, east, stranger] = await Promise.all([
      cluster("west"),
      cluster("east"),
      cluster("west"),
    ]);
    const gateway = await listen(west, [east]);
    expect(await reasonOf(probeOf(gateway.port, east, stranger))).toBe("GatewayNotTrusted");
    expect(await reasonOf(probeOf(gateway.port, east, west, "north"))).toBe("IdentityMismatch");
    expect(await reasonOf(probeOf(gateway.port, await cluster("north"), west))).toBe(
      "PeerRejected",
    );
    // The right name, and a CA the provider does not know.
    expect(await reasonOf(probeOf(gateway.port, await cluster("east"), west))).toBe("PeerRejected");
  });

  it("ends with its timeout where nothing answers, and at once where nothing listens", async () => {
    const [west, east] = await Promise.all([cluster("west"), cluster("east")]);
    const silent = createServer();
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    onTestFinished(() => void silent.close());
    const address = silent.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const late = await probeOf(port, east, west).probe(50, NEVER);
    expect(late).toMatchObject({ ok: false, failure: { reason: "GatewayUnreachable" } });
    const refused = await probeOf(1, east, west).probe(TIMEOUT_MS, NEVER);
    expect(refused).toMatchObject({
      ok: false,
      failure: { message: expect.stringContaining("ECONNREFUSED") },
    });
  });

  it("throws only what it was stopped with", async () => {
    const [west, east] = await Promise.all([cluster("west"), cluster("east")]);
    const stopped = AbortSignal.abort(new Error("stopped"));
    await expect(probeOf(1, east, west).probe(TIMEOUT_MS, stopped)).rejects.toThrow("stopped");
  });
});
