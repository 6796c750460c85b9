import { once } from "node:events";
import { pino } from "pino";
import { Registry } from "prom-client";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../../api/clock.ts";
import { ANNOTATIONS, GATEWAY_NAME, LABELS, gatewayIdentity } from "../../../api/names.ts";
import type { EndpointSlice, KubeObject, Service } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { Gateway, type GatewayOptions } from "../../../gateway/gateway.ts";
import type { KubeClient } from "../../../kube/client/client.ts";
import { adminClient, eventually } from "../fixtures.ts";
import { ClusterObjects } from "./cluster-objects.ts";
import { accountClient, gatewayAccount } from "./gateway-account.ts";
import { startEcho } from "./loopback.ts";
import { FRAME, connectRequest, frame } from "./raw-frames.ts";
import { type RawSession, openRawSession } from "./raw-session.ts";
import { type Identity } from "./two-gateways.ts";
import { createClusters } from "./identities.ts";

/** What the issue allows a revoked Peer's sessions. */
const REVOCATION_BOUND_MS = 2000;

let west: Identity;
let east: Identity;
let north: Identity;

beforeAll(async () => {
  ({ west, east, north } = await createClusters());
});

/** West's gateway on a real API server, with the rights of its ServiceAccount as shipped, and east as its Peer. */
async function startGateway(options: Partial<GatewayOptions> = {}) {
  const objects = await ClusterObjects.create(adminClient("west"));
  await objects.setLeaf(west.leaf);
  await objects.addPeer(east);
  const gateway = new Gateway({
    client: await gatewayAccount(objects, "west"),
    namespace: objects.namespace,
    clusterName: "west",
    ports: { ingress: 0, health: 0 },
    host: "127.0.0.1",
    drainDelayMs: 0,
    drainDeadlineMs: 0,
    clock: systemClock,
    random: Math.random,
    logger: pino({ level: "silent" }),
    registry: new Registry(),
    ...options,
  });
  onTestFinished(async () => await gateway.stop());
  await gateway.start(new AbortController().signal);
  const session = await openRawSession({ port: gateway.ingressPort, as: east, to: west });
  return { objects, gateway, session };
}

/** Asks on streams of their own until the answer is this one; returns the stream that had it. */
async function untilAnswered(
  session: RawSession,
  authority: string,
  status: number,
): Promise<number> {
  return await eventually(
    async () => {
      const opened = session.frames.filter(({ type }) => type === FRAME.headers);
      const streamId = 2 * new Set(opened.map(({ streamId: id }) => id)).size + 1;
      await session.send(connectRequest(streamId, authority));
      expect(await session.status(streamId)).toBe(status);
      return streamId;
    },
    { describe: `${authority} is answered ${status}` },
  );
}

/** An address that API servers take for an endpoint's and that a resolver reads as 127.0.0.1. */
const LOOPBACK_IN_OCTAL = "0177.0.0.1";

describe("with the rights that are shipped, on a real API server", () => {
  test("deleting a Peer ends its sessions with their streams within 2 s", async () => {
    const { objects, gateway, session } = await startGateway({ forbids: () => false });
    const authority = `web.${objects.namespace}.svc:80`;
    await objects.applyService("web", true);
    await objects.addEndpoint("web", LOOPBACK_IN_OCTAL, await startEcho());
    const streamId = await untilAnswered(session, authority, 200);
    await session.send(frame(FRAME.data, { streamId, payload: Buffer.from("x") }));
    await session.until("an echo", ({ type }) => type === FRAME.data);

    const closed = once(session.socket, "close", {
      signal: AbortSignal.timeout(REVOCATION_BOUND_MS),
    });
    await objects.removePeer(east);
    await closed;
    expect(gateway.ready()).toBe(true);
    await expect(openRawSession({ port: gateway.ingressPort, as: east, to: west })).rejects.toThrow(
      "disconnected before secure TLS connection",
    );
  });

  test("unexporting a Service resets its open streams after the grace", async () => {
    const { objects, session } = await startGateway({ forbids: () => false, unexportGraceMs: 100 });
    const authority = `web.${objects.namespace}.svc:80`;
    await objects.applyService("web", true);
    await objects.addEndpoint("web", LOOPBACK_IN_OCTAL, await startEcho());
    const streamId = await untilAnswered(session, authority, 200);
    await objects.applyService("web", false);
    await session.until(
      "a reset",
      ({ type, streamId: id }) => type === FRAME.rstStream && id === streamId,
    );
    await untilAnswered(session, authority, 404);
  });

  test("endpoints that an API server takes, and that are never to be reached, are never dialled", async () => {
    // TEST-NET-1 of RFC 5737: nobody answers there.
    const [apiServer, gatewayPod, own] = ["192.0.2.7", "192.0.2.8", "192.0.2.9"];
    const registry = new Registry();
    const { objects, session } = await startGateway({ neverReached: [own], registry });
    const { namespace, client } = objects;
    await addSlice(client, { namespace: "default", service: "kubernetes", address: apiServer });
    await addSlice(client, { namespace, service: GATEWAY_NAME, address: gatewayPod, ready: false });
    await objects.addMirror("api-east", "east/shop/api", 10_001);
    const mirror = await client.get<Service>(RESOURCES.services, { namespace, name: "api-east" });
    const failingOver = await client.create<Service>(RESOURCES.services, {
      metadata: { namespace, name: "alias", annotations: { [ANNOTATIONS.failover]: "east" } },
      spec: { ports: [{ port: 80 }] },
    });
    const addresses = [
      apiServer,
      gatewayPod,
      own,
      mirror.spec?.clusterIP ?? "",
      failingOver.spec?.clusterIP ?? "",
      LOOPBACK_IN_OCTAL,
      "168.63.129.16",
      "100.100.100.200",
      "fd00:ec2::254",
      "64:ff9b::7f00:1",
      "2002:7f00:1::1",
    ];
    for (const [index, address] of ["192.0.2.1", ...addresses].entries()) {
      await objects.applyService(`web-${index}`, true);
      await addSlice(client, { namespace, service: `web-${index}`, address });
      await untilAnswered(session, `web-${index}.${namespace}.svc:80`, 503);
    }
    const reasonOf = async (index: number) => {
      const lines = (await registry.metrics()).split("\n");
      const service = `service="${namespace}/web-${index}"`;
      const found = lines.findLast(
        (line) => line.startsWith("isthmus_gateway_streams_total{") && line.includes(service),
      );
      return /reason="(\w+)"/.exec(found ?? "")?.[1];
    };
    await eventually(async () => expect(await reasonOf(0)).toBe("EndpointUnreachable"), {
      describe: "another address is dialled",
    });
    for (const [index, address] of addresses.entries()) {
      expect(`${address} ${await reasonOf(index + 1)}`).toBe(`${address} NoReadyEndpoints`);
    }
  });

  test("a Peer that is patched stays the cluster that it was", async () => {
    const objects = await ClusterObjects.create(adminClient("west"));
    await objects.addPeer(east);
    const patch = async (spec: Record<string, unknown>) =>
      await objects.client.patch<KubeObject>(
        RESOURCES.peers,
        { namespace: objects.namespace, name: "east" },
        { spec },
        { type: "merge", fieldManager: "east" },
      );
    await expect(
      patch({ clusterName: "north", identity: gatewayIdentity("north") }),
    ).rejects.toThrow("the cluster that a Peer names cannot change");
    await expect(patch({ identity: gatewayIdentity("north") })).rejects.toThrow(
      "must be spiffe://",
    );
    await patch({ trustBundle: north.ca.certificatePem });
  });

  test("the gateway may read what it needs, and nothing else", async () => {
    const objects = await ClusterObjects.create(adminClient("west"));
    const { client: admin, namespace } = objects;
    const gateway = await gatewayAccount(objects, "west");
    await eventually(
      async () => await admin.get(RESOURCES.serviceAccounts, { namespace, name: "default" }),
      { describe: "a ServiceAccount without any rights" },
    );
    const nobody = await accountClient(admin, "west", { namespace, name: "default" });
    const rightsIn = async (where: string) => {
      const common = new Set(await rulesOf(nobody, where));
      return (await rulesOf(gateway, where)).filter((rule) => !common.has(rule));
    };
    const everywhere = [
      "get,list,watch endpointslices.discovery.k8s.io",
      "get,list,watch services",
    ];
    expect(await rightsIn("default")).toEqual(everywhere);
    expect(await rightsIn("kube-system")).toEqual(everywhere);
    expect(await rightsIn(namespace)).toEqual(
      [
        ...everywhere,
        "get,list,watch links.isthmus.dev,peers.isthmus.dev",
        "get,list,watch secrets isthmus-gateway-tls",
      ].toSorted(),
    );

    const denied: [verb: string, group: string, resource: string, name?: string][] = [
      ["list", "", "secrets"],
      ["get", "", "secrets", "isthmus-ca"],
      ["get", "", "secrets", "isthmus-link-east"],
      ["patch", "", "secrets", "isthmus-gateway-tls"],
      ["create", "", "serviceaccounts/token"],
      ["patch", "", "services"],
      ["create", "discovery.k8s.io", "endpointslices"],
      ["patch", "isthmus.dev", "peers"],
      ["patch", "isthmus.dev", "links/status"],
      ["list", "", "pods"],
      ["create", "", "pods/exec"],
      ["list", "", "configmaps"],
      ["list", "", "nodes"],
      ["escalate", "rbac.authorization.k8s.io", "clusterroles"],
      ["impersonate", "", "users"],
    ];
    for (const right of denied) {
      expect(`${right.join(" ")}: ${await isAllowed(gateway, namespace, right)}`).toBe(
        `${right.join(" ")}: false`,
      );
    }
  });
});

async function addSlice(
  client: KubeClient,
  slice: { namespace: string; service: string; address: string; ready?: boolean },
): Promise<void> {
  const { namespace, service, address, ready = true } = slice;
  const name = `${service}-${namespace === "default" ? "test" : "0"}`;
  await client.create<EndpointSlice>(RESOURCES.endpointSlices, {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { namespace, name, labels: { [LABELS.serviceName]: service } },
    addressType: address.includes(":") ? "IPv6" : "IPv4",
    endpoints: [{ addresses: [address], conditions: { ready } }],
    ports: [{ name: "http", port: 80, protocol: "TCP" }],
  });
  onTestFinished(async () => await client.remove(RESOURCES.endpointSlices, { namespace, name }));
}

interface Rule {
  verbs: string[];
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
}

/** What the API server says that a client may do in a namespace: `verbs resources names`, sorted. */
async function rulesOf(client: KubeClient, namespace: string): Promise<string[]> {
  const { status } = await client.request<
    KubeObject & { status: { resourceRules: Rule[]; incomplete: boolean } }
  >({
    method: "POST",
    path: "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
    body: {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectRulesReview",
      spec: { namespace },
    },
  });
  expect(status.incomplete).toBe(false);
  const described = status.resourceRules.map((rule) => {
    const { verbs, apiGroups = [""], resources = [], resourceNames = [] } = rule;
    const suffix = apiGroups.map((group) => (group === "" ? "" : `.${group}`)).join("|");
    const what = resources.map((resource) => `${resource}${suffix}`).toSorted();
    return [verbs.toSorted().join(","), what.join(","), ...resourceNames].join(" ");
  });
  return [...new Set(described)].toSorted();
}

async function isAllowed(
  client: KubeClient,
  namespace: string,
  [verb, group, path, name]: readonly [verb: string, group: string, path: string, name?: string],
): Promise<boolean> {
  const [resource, subresource] = path.split("/");
  const { status } = await client.request<{ status: { allowed: boolean } }>({
    method: "POST",
    path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    body: {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: { namespace, verb, group, resource, subresource, name } },
    },
  });
  return status.allowed;
}
