import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { parse, parseAllDocuments } from "yaml";
import type { Link } from "../../../api/link.ts";
import { INSTALL_NAMESPACE, KUBECONFIG_KEY } from "../../../api/names.ts";
import type { ConfigMap, KubeObject, Secret } from "../../../api/objects.ts";
import type { Peer } from "../../../api/peer.ts";
import { type Resource, RESOURCES, resourceOf } from "../../../api/resources.ts";
import { EXIT_CODES } from "../../../cmd/link/cli-error.ts";
import { join } from "../../../cmd/link/join/join.ts";
import { JOIN_PARTS, type JoinPart, renderJoin } from "../../../cmd/link/join/render-join.ts";
import { writeJoin } from "../../../cmd/link/join/write-join.ts";
import { createKubeClient, type KubeClient } from "../../../kube/client/client.ts";
import { parseLinkKubeconfig } from "../../../kube/kubeconfig/kubeconfig.ts";
import { closedAtEnd } from "../fixtures.ts";
import { installed, recordingReporter, useClusters } from "./cli-bed.ts";
import { both, condition, failureOf, inSystem, joinOptions, unjoinBoth } from "./join-bed.ts";

const clusters = useClusters("west", "east");

/** The names that `after` has and `before` has not. */
function added(before: Map<string, string> | undefined, after: Map<string, string> | undefined) {
  return [...(after?.keys() ?? [])].filter((key) => before?.has(key) !== true).toSorted();
}

async function linkClient(): Promise<KubeClient> {
  const { client } = clusters.open("east");
  const secret = await client.get<Secret>(RESOURCES.secrets, inSystem("isthmus-link-west"));
  const text = Buffer.from(secret.data?.[KUBECONFIG_KEY] ?? "", "base64").toString();
  return closedAtEnd(createKubeClient(parseLinkKubeconfig(text, "Secret isthmus-link-west")));
}

const kubeconfigSchema = z.object({
  users: z.tuple([z.object({ user: z.object({ token: z.string() }) })]),
});

/** Whether the client's user may do it, by the API server's own word. */
async function may(
  client: KubeClient,
  verb: string,
  { group, plural }: Resource,
  where: { namespace?: string; name?: string; subresource?: string } = {},
): Promise<boolean> {
  const review = await client.request<{ status: { allowed: boolean } }>({
    method: "POST",
    path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    body: {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: { verb, group, resource: plural, ...where } },
    },
  });
  return review.status.allowed;
}

/** Rows of a table of rights, named for the tests' titles. */
function rights(rows: [verb: string, resource: Resource, where: Parameters<typeof may>[3]][]) {
  return rows.map(([verb, resource, where]) => ({ verb, resource, where }));
}

describe("link join", () => {
  test("names the cluster where Isthmus is not installed, and the fix", async () => {
    await installed(clusters.open("west"));
    const failure = await failureOf(join(joinOptions(clusters)));
    expect(failure.message).toContain("context east");
    expect(failure.fix).toBe("link install --context east");
    await installed(clusters.open("east"));
  });

  test("makes exactly the account, its rights and the Peer there, the credentials and the Link here", async () => {
    const [west, east] = await both(clusters);
    const reporter = recordingReporter();
    await join(joinOptions(clusters, { reporter }));
    const [westAfter, eastAfter] = await both(clusters);
    expect(added(west, westAfter)).toEqual([
      "ClusterRoleBinding isthmus-link-east",
      "Peer east",
      "Role isthmus-link-east",
      "RoleBinding isthmus-link-east",
      "ServiceAccount isthmus-link-east",
    ]);
    expect(added(east, eastAfter)).toEqual(["Link west", "Secret isthmus-link-west"]);
    expect([...(westAfter ?? [])]).toEqual(expect.arrayContaining([...(west ?? [])]));
    expect([...(eastAfter ?? [])]).toEqual(expect.arrayContaining([...(east ?? [])]));
    expect(reporter.lines.at(-1)).toContain("link export");
  });

  test("gives the Link the provider's identity and bundle, and the Peer the consumer's", async () => {
    const { client: east } = clusters.open("east");
    const { client: west } = clusters.open("west");
    const link = await east.get<Link>(RESOURCES.links, inSystem("west"));
    expect(link.spec).toMatchObject({
      clusterName: "west",
      credentialsSecretRef: { name: "isthmus-link-west" },
      gateway: { identity: "spiffe://west/isthmus/gateway" },
    });
    const peer = await west.get<Peer>(RESOURCES.peers, inSystem("east"));
    expect(peer.spec).toMatchObject({
      clusterName: "east",
      identity: "spiffe://east/isthmus/gateway",
    });
    const published = await west.get<ConfigMap>(RESOURCES.configMaps, inSystem("isthmus-identity"));
    expect(link.spec).toMatchObject({ trustBundle: published.data?.["ca.crt"] });
  });

  test.each(
    rights([
      ["list", RESOURCES.services, {}],
      ["watch", RESOURCES.services, {}],
      ["watch", RESOURCES.endpointSlices, {}],
      ["get", RESOURCES.configMaps, inSystem("isthmus-identity")],
      ["patch", RESOURCES.peers, inSystem("east")],
      [
        "create",
        RESOURCES.serviceAccounts,
        { ...inSystem("isthmus-link-east"), subresource: "token" },
      ],
    ]),
  )("gives credentials that may $verb $resource.plural", async ({ verb, resource, where }) => {
    expect(await may(await linkClient(), verb, resource, where)).toBe(true);
  });

  test.each(
    rights([
      ["create", RESOURCES.services, { namespace: "default" }],
      ["delete", RESOURCES.services, { namespace: "default" }],
      ["patch", RESOURCES.services, { namespace: "default" }],
      ["list", RESOURCES.secrets, { namespace: INSTALL_NAMESPACE }],
      ["get", RESOURCES.secrets, inSystem("isthmus-ca")],
      ["get", RESOURCES.configMaps, inSystem("isthmus-config")],
      ["list", RESOURCES.configMaps, { namespace: INSTALL_NAMESPACE }],
      ["watch", RESOURCES.configMaps, inSystem("isthmus-identity")],
      ["patch", RESOURCES.peers, inSystem("north")],
      ["delete", RESOURCES.peers, inSystem("east")],
      ["create", RESOURCES.peers, { namespace: INSTALL_NAMESPACE }],
      ["list", RESOURCES.pods, {}],
      [
        "create",
        RESOURCES.serviceAccounts,
        { ...inSystem("isthmus-controller"), subresource: "token" },
      ],
      [
        "create",
        RESOURCES.serviceAccounts,
        { ...inSystem("isthmus-link-north"), subresource: "token" },
      ],
      ["escalate", RESOURCES.clusterRoles, {}],
    ]),
  )("gives credentials that may not $verb $resource.plural", async ({ verb, resource, where }) => {
    expect(await may(await linkClient(), verb, resource, where)).toBe(false);
  });

  test("gives a token that ends within the hour", async () => {
    const { client } = clusters.open("east");
    const secret = await client.get<Secret>(RESOURCES.secrets, inSystem("isthmus-link-west"));
    const text = Buffer.from(secret.data?.[KUBECONFIG_KEY] ?? "", "base64").toString();
    const { users } = kubeconfigSchema.parse(parse(text));
    const [, payload = ""] = users[0].user.token.split(".");
    const claims: { exp: number; sub: string } = JSON.parse(
      Buffer.from(payload, "base64url").toString(),
    );
    expect(claims.sub).toBe("system:serviceaccount:isthmus-system:isthmus-link-east");
    expect(claims.exp * 1000 - Date.now()).toBeLessThanOrEqual(3_600_000);
  });

  test("given again updates in place and says so", async () => {
    const [west, east] = await both(clusters);
    const reporter = recordingReporter();
    const [joined] = await join(joinOptions(clusters, { reporter }));
    expect(joined).toMatchObject({ linkName: "west", updated: true });
    expect(reporter.lines.join("\n")).toContain("which existed and is updated");
    const [westAfter, eastAfter] = await both(clusters);
    expect(westAfter).toEqual(west);
    // Only the token is new.
    east?.delete("Secret isthmus-link-west");
    eastAfter?.delete("Secret isthmus-link-west");
    expect(eastAfter).toEqual(east);
  });

  test("leaves an updated Link where it is when it is not Ready in time", async () => {
    const [west] = await both(clusters);
    const failure = await failureOf(join(joinOptions(clusters, { wait: true })));
    expect(failure.exitCode).toBe(EXIT_CODES.notReady);
    expect(failure.fix).toContain("link status west");
    const [westAfter, eastAfter] = await both(clusters);
    expect(westAfter).toEqual(west);
    expect(eastAfter?.has("Link west")).toBe(true);
  });

  test("refuses a second Link to the same cluster", async () => {
    const before = await both(clusters);
    const failure = await failureOf(join(joinOptions(clusters, { linkName: "west-2" })));
    expect(failure.message).toContain("linked already, by Link west");
    expect(await both(clusters)).toEqual(before);
  });

  test("shows the condition that holds it up, and each as it turns", async () => {
    const reporter = recordingReporter();
    const { client } = clusters.open("east");
    // As the controller writes it.
    const write = async (conditions: ReturnType<typeof condition>[]) => {
      const object = { metadata: inSystem("west"), status: { conditions } };
      await client.apply(RESOURCES.links, object, {
        fieldManager: "controller",
        subresource: "status",
      });
    };
    const reachable = condition("ApiReachable", "True", "Synced", "the API of west is watched");
    await write([
      reachable,
      condition("GatewayHealthy", "False", "GatewayUnreachable", "10.0.0.1 refuses"),
    ]);
    const failure = await failureOf(join(joinOptions(clusters, { wait: true, reporter })));
    expect(failure.message).toContain(
      "GatewayHealthy is False: GatewayUnreachable: 10.0.0.1 refuses",
    );
    expect(reporter.lines).toContain("ApiReachable: the API of west is watched");
    await write([reachable, condition("Ready", "True", "LinkReady", "mirrors are open")]);
    await join(joinOptions(clusters, { wait: true, reporter }));
    expect(reporter.lines).toContain("Ready: mirrors are open");
  });

  test("is undone by unjoin: both clusters are as they were", async () => {
    await unjoinBoth(clusters);
    const [west, east] = await both(clusters);
    for (const kind of ["Peer", "Link", "Secret isthmus-link", "Role isthmus-link"]) {
      const left = [...(west?.keys() ?? []), ...(east?.keys() ?? [])];
      expect(left.filter((key) => key.startsWith(kind))).toEqual([]);
    }
  });
});

/** A join as manifests. */
async function render(parts: readonly JoinPart[]) {
  const { provider, consumer, reporter, signal } = joinOptions(clusters);
  const direction = { provider, consumer, gateway: {}, serverFlag: "--server" };
  return await renderJoin({ direction, parts, reporter, signal });
}

/** As `kubectl apply --server-side` takes a stream of documents. */
async function applyStream(client: KubeClient, text = ""): Promise<void> {
  for (const document of parseAllDocuments(text)) {
    const object: KubeObject = document.toJS();
    const resource = resourceOf(object.apiVersion ?? "", object.kind ?? "");
    if (resource === undefined) throw new Error(`unknown kind ${object.kind}`);
    await client.apply(resource, object, { fieldManager: "kubectl" });
  }
}

describe("link join -o yaml", () => {
  test("applies nothing, and makes no Secret before the account exists", async () => {
    const before = await both(clusters);
    const rendered = await render(["provider", "consumer", "secret"]);
    expect(rendered.secret).toBeUndefined();
    expect(rendered.provider + rendered.consumer).not.toContain("kind: Secret");
    const failure = await failureOf(render(["secret"]));
    expect(failure.message).toContain("no ServiceAccount isthmus-link-east yet");
    expect(failure.fix).toContain("--show provider");
    expect(await both(clusters)).toEqual(before);
  });

  test("gives files that make the same objects as a join, and that change nothing a second time", async () => {
    const [{ client: west }, { client: east }] = [clusters.open("west"), clusters.open("east")];
    await join(joinOptions(clusters));
    const joined = await both(clusters);
    await unjoinBoth(clusters);
    const { provider, consumer } = await render(["provider", "consumer"]);
    await applyStream(west, provider);
    const { secret } = await render(["secret"]);
    await applyStream(east, consumer);
    await applyStream(east, secret);
    const applied = await both(clusters);
    expect(applied.map((objects) => [...objects.keys()])).toEqual(
      joined.map((objects) => [...objects.keys()]),
    );
    expect(secret).toContain("# SECRET.");
    await applyStream(west, provider);
    await applyStream(east, consumer);
    await applyStream(east, secret);
    expect(await both(clusters)).toEqual(applied);
    // And they are what unjoin takes for its own.
    await unjoinBoth(clusters);
  });

  test("writes a file for each cluster, and the Secret for its owner alone", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "join-"));
    onTestFinished(async () => await rm(folder, { recursive: true }));
    const reporter = recordingReporter();
    await writeFile(path.join(folder, "secret.yaml"), "", { mode: 0o644 });
    const rendered = { provider: "a: 1\n", consumer: "b: 1\n", secret: "c: 1\n" };
    await writeJoin(rendered, { folder, parts: JOIN_PARTS, reporter });
    expect((await stat(path.join(folder, "secret.yaml"))).mode & 0o777).toBe(0o600);
    expect(await readFile(path.join(folder, "provider.yaml"), "utf8")).toBe("a: 1\n");
    await writeJoin({ ...rendered, secret: undefined }, { folder, parts: JOIN_PARTS, reporter });
    expect(reporter.lines.at(-1)).toContain("no secret.yaml was written");
  });
});
