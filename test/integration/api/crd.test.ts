import { beforeAll, describe, expect, test } from "vitest";
import { linkDefinition, peerDefinition } from "../../../api/crd.ts";
import { type Link, linkSpecSchema } from "../../../api/link.ts";
import { CLI_FIELD_MANAGER } from "../../../api/names.ts";
import type { KubeObject } from "../../../api/objects.ts";
import { peerSpecSchema } from "../../../api/peer.ts";
import { type Resource, RESOURCES } from "../../../api/resources.ts";
import { isApiError } from "../../../kube/client/api-error.ts";
import { createKubeClient } from "../../../kube/client/client.ts";
import { resourcePath } from "../../../kube/client/resource-path.ts";
import { createAuthority } from "../../../pki/authority.ts";
import { adminClient, adminConfig, eventually } from "../fixtures.ts";

const NAMESPACE = "default";
const pem = { bundle: "", key: "" };

beforeAll(async () => {
  const authority = await createAuthority({ clusterName: "west", nowMs: Date.now() });
  Object.assign(pem, { bundle: authority.certificatePem, key: authority.privateKeyPem });
  const client = createKubeClient(adminConfig("north"));
  try {
    const apply = { fieldManager: CLI_FIELD_MANAGER, force: true };
    for (const definition of [linkDefinition(), peerDefinition()]) {
      await client.apply(RESOURCES.customResourceDefinitions, definition, apply);
    }
    await eventually(
      async () => {
        await client.list(RESOURCES.links, { namespace: NAMESPACE });
        await client.list(RESOURCES.peers, { namespace: NAMESPACE });
      },
      { describe: "Links and Peers are served" },
    );
  } finally {
    await client.close();
  }
});

/** A good Link.spec with some fields replaced. */
function linkSpec(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    clusterName: "west",
    credentialsSecretRef: { name: "isthmus-link-west" },
    gateway: { identity: "spiffe://west/isthmus/gateway" },
    trustBundle: pem.bundle,
    ...changes,
  };
}

function peerSpec(changes: Record<string, unknown> = {}): Record<string, unknown> {
  const identity = "spiffe://west/isthmus/gateway";
  return { clusterName: "west", identity, trustBundle: pem.bundle, ...changes };
}

/** Has the API server check an object as it does before storing it; returns what it would store. */
async function submit(resource: Resource, name: string, spec: unknown): Promise<KubeObject> {
  return await adminClient("north").request<KubeObject>({
    method: "POST",
    path: resourcePath(resource, { namespace: NAMESPACE }),
    query: { dryRun: "All", fieldValidation: "Strict" },
    body: { apiVersion: "isthmus.dev/v1alpha1", kind: resource.kind, metadata: { name }, spec },
  });
}

/** What the API server says of an object it refuses. */
async function refusalOf(resource: Resource, name: string, spec: unknown): Promise<string> {
  try {
    await submit(resource, name, spec);
  } catch (error) {
    if (isApiError(error, 422)) return error.body?.message ?? "";
    throw error;
  }
  return "accepted";
}

const gateway = (changes: Record<string, unknown>) => ({
  gateway: { identity: "spiffe://west/isthmus/gateway", ...changes },
});

describe("the API server accepts a Link", () => {
  test("and fills in what it leaves out", async () => {
    const stored: Link = await submit(RESOURCES.links, "west", linkSpec());
    expect(stored.spec).toEqual(linkSpecSchema.parse({ ...linkSpec(), probe: {}, mirror: {} }));
  });

  test.each<[string, Record<string, unknown>]>([
    [
      "IPv4, IPv6 and DNS addresses",
      gateway({ addresses: ["10.0.0.1", "fd00::1", "gw.west.example"] }),
    ],
    ["another order of the template", { mirror: { nameTemplate: "{cluster}-{service}" } }],
    ["a template without the cluster", { mirror: { nameTemplate: "far-{service}" } }],
    ["part of the probe", { probe: { periodSeconds: 5 } }],
    ["selectors", { serviceSelector: { matchLabels: { "app.kubernetes.io/name": "web" } } }],
    [
      "selectors with expressions",
      { namespaceSelector: { matchExpressions: [{ key: "a/b", operator: "In", values: ["c"] }] } },
    ],
    ["no clusterName when its own name is the cluster's", { clusterName: undefined }],
    ["a bundle of two certificates", { trustBundle: "twice" }],
  ])("with %s", async (_title, changes) => {
    const twice = changes["trustBundle"] === "twice" && { trustBundle: pem.bundle + pem.bundle };
    const spec = linkSpec({ ...changes, ...twice });
    expect(await refusalOf(RESOURCES.links, "west", spec)).toBe("accepted");
    // What the API server lets in, the controller understands.
    expect(linkSpecSchema.safeParse(spec).error).toBeUndefined();
  });
});

describe("the API server refuses a Link", () => {
  test.each<[string, Record<string, unknown>, string]>([
    [
      "a cluster name that is no DNS label",
      { clusterName: "West_1" },
      "a cluster name must be a DNS label",
    ],
    ["an empty cluster name", { clusterName: "" }, "a cluster name must be a DNS label"],
    ["a cluster name of 64 characters", { clusterName: "a".repeat(64) }, "may not be more than 63"],
    [
      "port 0",
      gateway({ port: 0 }),
      "spec.gateway.port in body should be greater than or equal to 1",
    ],
    ["port 65536", gateway({ port: 65_536 }), "should be less than or equal to 65535"],
    [
      "an address with a scheme",
      gateway({ addresses: ["https://gw"] }),
      "must be an IP address or a DNS name",
    ],
    [
      "an address with a port",
      gateway({ addresses: ["gw:15008"] }),
      "must be an IP address or a DNS name",
    ],
    ["an impossible IPv4 address", gateway({ addresses: ["10.0.0.300"] }), "must be an IP address"],
    ["no address in the list", gateway({ addresses: [] }), "should have at least 1 items"],
    ["an empty bundle", { trustBundle: "" }, "must be the PEM of at least one CA certificate"],
    [
      "a bundle that is no PEM",
      { trustBundle: "MIIB" },
      "must be the PEM of at least one CA certificate",
    ],
    [
      "another cluster's identity",
      gateway({ identity: "spiffe://east/isthmus/gateway" }),
      "must be spiffe://west/isthmus/gateway",
    ],
    [
      "an identity of another form",
      gateway({ identity: "west" }),
      "must be spiffe://<cluster name>/isthmus/gateway",
    ],
    [
      "a template without {service}",
      { mirror: { nameTemplate: "x-{cluster}" } },
      "must contain {service}",
    ],
    [
      "a template with another placeholder",
      { mirror: { nameTemplate: "{service}-{x}" } },
      "{service} once, {cluster} once",
    ],
    [
      "a template with a dot",
      { mirror: { nameTemplate: "{service}.x" } },
      "otherwise a-z, 0-9 and '-'",
    ],
    [
      "a probe period of 0",
      { probe: { periodSeconds: 0 } },
      "should be greater than or equal to 1",
    ],
    ["a staleness of 1 s", { apiStalenessSeconds: 1 }, "should be greater than or equal to 5"],
    [
      "an unknown operator",
      { serviceSelector: { matchExpressions: [{ key: "a", operator: "Is" }] } },
      "Unsupported value",
    ],
    [
      "no credentials",
      { credentialsSecretRef: undefined },
      "spec.credentialsSecretRef: Required value",
    ],
    ["no gateway", { gateway: undefined }, "spec.gateway: Required value"],
  ])("with %s", async (_title, changes, message) => {
    expect(await refusalOf(RESOURCES.links, "west", linkSpec(changes))).toContain(message);
  });

  test("with a private key in the bundle", async () => {
    const spec = linkSpec({ trustBundle: pem.bundle + pem.key });
    expect(await refusalOf(RESOURCES.links, "west", spec)).toContain("hold no private key");
  });

  test("whose own name is another than the identity's, when it names no cluster", async () => {
    const spec = linkSpec({ clusterName: undefined });
    const message = await refusalOf(RESOURCES.links, "other", spec);
    expect(message).toContain("spec.gateway.identity: Invalid value");
    expect(message).toContain("must be spiffe://other/isthmus/gateway");
  });

  test.each(["two.labels", "a".repeat(64)])("named %s", async (name) => {
    const message = await refusalOf(RESOURCES.links, name, linkSpec());
    expect(message).toContain("metadata.name must be a DNS label");
  });

  test("without a spec", async () => {
    expect(await refusalOf(RESOURCES.links, "west", undefined)).toContain("spec: Required value");
  });

  test("with a field it does not know, when strict validation is asked for", async () => {
    const attempt = submit(RESOURCES.links, "west", linkSpec({ trustBundles: "x" }));
    await expect(attempt).rejects.toThrow('unknown field "spec.trustBundles"');
  });
});

describe("the API server checks a Peer", () => {
  test("and accepts a good one", async () => {
    expect(await refusalOf(RESOURCES.peers, "west", peerSpec())).toBe("accepted");
    expect(peerSpecSchema.safeParse(peerSpec()).error).toBeUndefined();
  });

  test.each<[string, Record<string, unknown>, string]>([
    [
      "a cluster name that is no DNS label",
      { clusterName: "-west" },
      "a cluster name must be a DNS label",
    ],
    [
      "another cluster's identity",
      { identity: "spiffe://east/isthmus/gateway" },
      "must be spiffe://west/isthmus/gateway",
    ],
    ["an empty bundle", { trustBundle: "" }, "must be the PEM of at least one CA certificate"],
    ["no identity", { identity: undefined }, "spec.identity: Required value"],
  ])("and refuses one with %s", async (_title, changes, message) => {
    expect(await refusalOf(RESOURCES.peers, "west", peerSpec(changes))).toContain(message);
  });
});

const CONDITION = {
  status: "True",
  reason: "Test",
  message: "",
  lastTransitionTime: "2026-01-01T00:00:00Z",
};

test("conditions of a Link are one per type, whoever applies them", async () => {
  const client = adminClient("north");
  const name = "conditions-test";
  const spec = linkSpec({ clusterName: "west" });
  const link: Link = await client.apply<Link>(
    RESOURCES.links,
    { metadata: { name, namespace: NAMESPACE }, spec },
    { fieldManager: "test" },
  );
  try {
    for (const [fieldManager, type] of [
      ["first", "ApiReachable"],
      ["second", "Ready"],
    ] as const) {
      const object = {
        metadata: { name, namespace: NAMESPACE },
        status: { conditions: [{ ...CONDITION, type }] },
      };
      await client.apply<KubeObject>(RESOURCES.links, object, {
        fieldManager,
        subresource: "status",
      });
    }
    const stored = await client.get<Link>(RESOURCES.links, { name, namespace: NAMESPACE });
    const types = stored.status?.conditions?.map(({ type }) => type);
    expect(types).toEqual(["ApiReachable", "Ready"]);
    expect(stored.metadata.generation).toBe(link.metadata.generation);
  } finally {
    await client.remove(RESOURCES.links, { name, namespace: NAMESPACE });
  }
});

test("kubectl's table of Links shows cluster, state and gateway", async () => {
  const table = await adminClient("north").request<{ columnDefinitions: { name: string }[] }>({
    method: "GET",
    path: resourcePath(RESOURCES.links, { namespace: NAMESPACE }),
    accept: "application/json;as=Table;v=v1;g=meta.k8s.io",
  });
  const names = table.columnDefinitions.map(({ name }) => name);
  expect(names).toEqual([
    "Name",
    "Cluster",
    "Ready",
    "Reason",
    "Gateway",
    "Mirrored",
    "Skipped",
    "Age",
  ]);
});
