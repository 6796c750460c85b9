import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { pino } from "pino";
import { Registry } from "prom-client";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../../api/clock.ts";
import { GATEWAY_TLS_SECRET_NAME, gatewayIdentity, peerServerName } from "../../../api/names.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { Gateway } from "../../../gateway/gateway.ts";
import { DEFAULT_GATEWAY_LIMITS } from "../../../gateway/limits/limits.ts";
import { clientTlsOptions } from "../../../pki/tls.ts";
import {
  type ClusterName,
  adminClient,
  clientThrough,
  eventually,
  faultProxy,
} from "../fixtures.ts";
import { ClusterObjects } from "./cluster-objects.ts";
import { freeEgressPort, hear, startEcho, startWire } from "./loopback.ts";
import { type Identity, createIdentity, renewedLeaf, startProvider } from "./two-gateways.ts";

let west: Identity;
let east: Identity;

beforeAll(async () => {
  [west, east] = await Promise.all([createIdentity("west"), createIdentity("east")]);
});

/** A gateway that acts on the objects of a real API server, ended with the test. */
async function startGateway(cluster: ClusterName, identity: Identity) {
  const objects = await ClusterObjects.create(adminClient(cluster));
  await objects.setLeaf(identity.leaf);
  return { objects, gateway: await startGatewayOn(objects, identity) };
}

/** A gateway that finds these objects; `client`: through which it sees them. */
async function startGatewayOn(
  { namespace, client: admin }: ClusterObjects,
  identity: Identity,
  client = admin,
): Promise<Gateway> {
  const gateway = new Gateway({
    client,
    namespace,
    clusterName: identity.name,
    ports: { ingress: 0, health: 0 },
    host: "127.0.0.1",
    limits: { ...DEFAULT_GATEWAY_LIMITS, endpointConnectTimeoutMs: 200 },
    drainDelayMs: 0,
    drainDeadlineMs: 5000,
    clock: systemClock,
    random: Math.random,
    logger: pino({ level: "silent" }),
    registry: new Registry(),
  });
  onTestFinished(async () => await gateway.stop());
  await gateway.start(new AbortController().signal);
  return gateway;
}

async function untilHeard(port: number, answer: string): Promise<void> {
  await eventually(async () => expect(await hear(port, "x")).toBe(answer), {
    describe: `the mirror answers ${answer}`,
  });
}

test("the egress follows the Links, mirrors and the leaf of its cluster", async () => {
  const provider = await startProvider(west, [east]);
  provider.export("web", [await startEcho()]);
  const { objects, gateway } = await startGateway("east", east);
  const port = await freeEgressPort();
  await objects.addMirror("web-west", "west/shop/web", port);
  await objects.addLink(west, provider.port);
  await untilHeard(port, "xend");
  expect(gateway.ready()).toBe(true);

  await objects.setLeaf(await renewedLeaf(east));
  await untilHeard(port, "xend");
  const secret = { namespace: objects.namespace, name: GATEWAY_TLS_SECRET_NAME };
  await objects.client.remove(RESOURCES.secrets, secret);
  await untilHeard(port, "ECONNREFUSED");
  expect(gateway.ready()).toBe("no certificate yet");
  await objects.setLeaf(east.leaf);
  await untilHeard(port, "xend");

  await objects.setReady("west", "False");
  await untilHeard(port, "ECONNREFUSED");
  await objects.setReady("west", "True");
  await untilHeard(port, "xend");

  await objects.addMirror("web-west", "west/shop/web", port, "closed");
  await untilHeard(port, "ECONNREFUSED");
  await objects.addMirror("web-west", "west/shop/web", port, "open");
  await untilHeard(port, "xend");

  await objects.removeService("web-west");
  await untilHeard(port, "ECONNREFUSED");
});

/** A cluster whose Link and mirror were recorded as open by a controller that is gone. */
async function recordedOpen(to: number) {
  const objects = await ClusterObjects.create(adminClient("east"));
  await objects.setLeaf(east.leaf);
  await objects.addLink(west, to);
  const port = await freeEgressPort();
  await objects.addMirror("web-west", "west/shop/web", port);
  return { objects, port };
}

async function startWest(port = 0) {
  const provider = await startProvider(west, [east], { port });
  provider.export("web", [await startEcho()]);
  return provider;
}

describe("with no controller and a Link that stays recorded as Ready", () => {
  test("a mirror closes when the remote gateway dies, and opens by itself when it returns", async () => {
    const provider = await startWest();
    const remotePort = provider.port;
    const { objects, port } = await recordedOpen(remotePort);
    await startGatewayOn(objects, east);
    await untilHeard(port, "xend");
    provider.ingress.destroy();
    await untilHeard(port, "ECONNREFUSED");
    await startWest(remotePort);
    await untilHeard(port, "xend");
    expect(await hear(port, "back")).toBe("backend");
  });

  test("an egress gateway that restarts is ready once it has tried, and listens only after the remote has answered it", async () => {
    const provider = await startWest();
    const wire = await startWire(() => provider.port);
    const { objects, port } = await recordedOpen(wire.port);
    // Connections to it are accepted, and nothing is ever answered.
    wire.cut();
    const gateway = await startGatewayOn(objects, east);
    // Another replica may be carrying what this one would refuse.
    expect(gateway.ready()).toBe("links not tried yet: west");
    await eventually(
      async () => expect(await metricsOf(gateway)).toContain('reason="ConnectTimeout"'),
      { describe: "an attempt without an answer" },
    );
    expect(gateway.ready()).toBe(true);
    expect(await hear(port, "x")).toBe("ECONNREFUSED");
    wire.mend();
    await untilHeard(port, "xend");
  });

  test("nothing is listened on while the remote gateway is gone", async () => {
    const gone = await freeEgressPort();
    const { objects, port } = await recordedOpen(gone);
    const gateway = await startGatewayOn(objects, east);
    await eventually(
      async () => expect(await metricsOf(gateway)).toContain('reason="ECONNREFUSED"'),
      { describe: "an attempt that was refused" },
    );
    expect(await hear(port, "x")).toBe("ECONNREFUSED");
    await startWest(gone);
    await untilHeard(port, "xend");
  });

  test("an egress gateway that lost its own API server goes on by what it knew, and its PINGs still close", async () => {
    const provider = await startWest();
    const remotePort = provider.port;
    const { objects, port } = await recordedOpen(remotePort);
    const proxy = await faultProxy("east");
    await startGatewayOn(objects, east, clientThrough(proxy));
    await untilHeard(port, "xend");

    const mend = proxy.inject({ match: () => true, fault: { type: "drop" }, times: Infinity });
    proxy.cutWatches();
    const asked = proxy.requests.length;
    await eventually(() => expect(proxy.requests.length).toBeGreaterThan(asked + 5), {
      describe: "it tries to watch again",
    });
    expect(await hear(port, "x")).toBe("xend");
    provider.ingress.destroy();
    await untilHeard(port, "ECONNREFUSED");
    await startWest(remotePort);
    await untilHeard(port, "xend");

    await objects.setReady("west", "False");
    expect(await hear(port, "x")).toBe("xend");
    mend();
    await untilHeard(port, "ECONNREFUSED");
  });
});

async function metricsOf({ healthPort }: Gateway): Promise<string> {
  return await (await fetch(`http://127.0.0.1:${healthPort}/metrics`)).text();
}

test("the ingress follows the exports, endpoints and Peers of its cluster", async () => {
  const { objects, gateway } = await startGateway("west", west);
  await objects.addPeer(east);
  const session = await sessionOnceTrusted(gateway.ingressPort);
  const untilAnswered = async (answer: string) =>
    await eventually(
      async () => expect(await ask(session, `web.${objects.namespace}.svc:80`)).toBe(answer),
      { describe: `the ingress answers ${answer}` },
    );
  await untilAnswered("404 NotExported");
  await objects.applyService("web", false);
  await untilAnswered("404 NotExported");
  await objects.applyService("web", true);
  await untilAnswered("503 NoReadyEndpoints");
  // TEST-NET-1 of RFC 5737: nobody answers there.
  await objects.addEndpoint("web", "192.0.2.1", 8080);
  await untilAnswered("503 EndpointUnreachable");
  await objects.applyService("web", false);
  await untilAnswered("404 NotExported");
  expect(await ask(session, "kubernetes.default.svc:443")).toBe("404 NotExported");

  await objects.removePeer(east);
  await eventually(() => expect(session.destroyed).toBe(true), { describe: "the session ends" });
});

test("a gateway is ready when it knows its cluster and has a leaf, and says what it waits for", async () => {
  const { objects, gateway } = await startGateway("west", west);
  const visit = async (page: string) => {
    const response = await fetch(`http://127.0.0.1:${gateway.healthPort}${page}`);
    return `${response.status} ${(await response.text()).trim()}`;
  };
  expect(await visit("/readyz")).toBe("200 ok");
  expect(await visit("/healthz")).toBe("200 ok");
  expect(await visit("/metrics")).toContain("isthmus_gateway_leaf_not_after_seconds 1");
  await objects.client.remove(RESOURCES.secrets, {
    namespace: objects.namespace,
    name: GATEWAY_TLS_SECRET_NAME,
  });
  await eventually(async () => expect(await visit("/readyz")).toBe("503 no certificate yet"), {
    describe: "not ready without a leaf",
  });
});

/** A session of east's, as soon as the gateway trusts it. */
async function sessionOnceTrusted(port: number): Promise<ClientHttp2Session> {
  return await eventually(
    async () => {
      const session = connect(
        `https://127.0.0.1:${port}`,
        clientTlsOptions({
          leaf: east.leaf,
          bundlePem: west.ca.certificatePem,
          identity: gatewayIdentity("west"),
          serverName: peerServerName("east"),
        }),
      );
      onTestFinished(() => session.destroy());
      session.on("error", () => undefined);
      await once(session, "remoteSettings", { signal: AbortSignal.timeout(1000) });
      return session;
    },
    { describe: "the gateway accepts east" },
  );
}

async function ask(session: ClientHttp2Session, authority: string): Promise<string> {
  const stream = session.request({ ":method": "CONNECT", ":authority": authority });
  stream.on("error", () => undefined);
  const [headers]: { [name: string]: unknown }[] = await once(stream, "response");
  stream.destroy();
  return `${String(headers?.[":status"])} ${String(headers?.["isthmus-reason"])}`;
}
