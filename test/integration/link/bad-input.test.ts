import { describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import type { ConditionType } from "../../../api/conditions.ts";
import {
  GATEWAY_NAME,
  INSTALL_NAMESPACE,
  LINK_CLUSTER_ROLE,
  linkServiceAccountName,
} from "../../../api/names.ts";
import type { KubeObject, Service } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { Provider } from "../gateway/two-gateways.ts";
import { CONSUMER, useWorld, type World } from "./clusters.ts";
import {
  getLink,
  goodKubeconfig,
  linkEvents,
  putCredentials,
  putLink,
  SECRET_KEY,
  startController,
  startGateway,
  untilCondition,
} from "./link-world.ts";

const world = useWorld();

interface Kubeconfig {
  clusters: { cluster: Record<string, unknown> }[];
  users: { user: Record<string, unknown> }[];
  "current-context"?: string;
}

/** Everything but the bad thing is good; the bad thing is put right by `heal`. */
async function expectRefusal(
  badly: (world: World, gateway: Provider) => Promise<void>,
  expected: { type: ConditionType; says: string; names: RegExp },
  heal: (world: World, gateway: Provider) => Promise<void>,
): Promise<void> {
  await startController(world());
  const gateway = await startGateway(world());
  await badly(world(), gateway);
  const condition = await untilCondition(world(), expected.type, expected.says);
  expect(condition.message).toMatch(expected.names);
  const ready = (await getLink(world())).status?.conditions?.find(({ type }) => type === "Ready");
  expect(ready?.status).toBe("False");
  const [, reason = ""] = expected.says.split(" ");
  await expect
    .poll(async () => (await linkEvents(world(), reason)).length, { timeout: 5000 })
    .toBeGreaterThan(0);
  await heal(world(), gateway);
  await untilCondition(world(), "Ready", "True LinkReady");
}

async function link(of: World, gateway: Provider): Promise<void> {
  await putLink(of, { addresses: ["127.0.0.1"], port: gateway.port });
}

async function putGoodCredentials(of: World): Promise<void> {
  await putCredentials(of, await goodKubeconfig(of));
}

/** A good kubeconfig with something changed. */
async function spoiltKubeconfig(
  of: World,
  spoil: (
    cluster: Record<string, unknown>,
    user: Record<string, unknown>,
    whole: Kubeconfig,
  ) => void,
): Promise<string> {
  const whole: Kubeconfig = parse(await goodKubeconfig(of));
  const cluster = whole.clusters[0]?.cluster;
  const user = whole.users[0]?.user;
  if (cluster === undefined || user === undefined) throw new Error("no kubeconfig");
  spoil(cluster, user, whole);
  return stringify(whole);
}

describe("credentials that cannot be used are named, and work once corrected:", () => {
  test("a Secret that is missing", async () => {
    await expectRefusal(
      link,
      {
        type: "CredentialsValid",
        says: "False SecretNotFound",
        names: /isthmus-link-west.*link join/,
      },
      putGoodCredentials,
    );
  });

  test("a Secret without the key", async () => {
    await expectRefusal(
      async (of, gateway) => {
        await putCredentials(of, await goodKubeconfig(of), "config");
        await link(of, gateway);
      },
      { type: "CredentialsValid", says: "False SecretKeyMissing", names: /key kubeconfig.*config/ },
      putGoodCredentials,
    );
  });

  test.each<{
    name: string;
    says: string;
    names: RegExp;
    spoil: Parameters<typeof spoiltKubeconfig>[1];
  }>([
    {
      name: "a kubeconfig without a current context",
      says: "False KubeconfigInvalid",
      names: /current-context/,
      spoil: (_cluster, _user, whole) => delete whole["current-context"],
    },
    {
      name: "a kubeconfig with an exec plugin",
      says: "False KubeconfigRefused",
      names: /user\.exec.*ServiceAccount token/,
      spoil: (_cluster, user) => (user["exec"] = { command: "true" }),
    },
    {
      name: "a kubeconfig with insecure-skip-tls-verify",
      says: "False KubeconfigRefused",
      names: /insecure-skip-tls-verify.*certificate-authority-data/,
      spoil: (cluster) => (cluster["insecure-skip-tls-verify"] = true),
    },
    {
      name: "a token that is rejected",
      says: "False CredentialsRejected",
      names: /https:.*401.*link join/,
      spoil: (_cluster, user) => (user["token"] = "not.a.token"),
    },
  ])("$name", async ({ says, names, spoil }) => {
    await expectRefusal(
      async (of, gateway) => {
        await putCredentials(of, await spoiltKubeconfig(of, spoil));
        await link(of, gateway);
      },
      { type: "CredentialsValid", says, names },
      putGoodCredentials,
    );
  });

  test("a kubeconfig that is not YAML", async () => {
    await expectRefusal(
      async (of, gateway) => {
        await putCredentials(of, "{ not: [yaml");
        await link(of, gateway);
      },
      { type: "CredentialsValid", says: "False KubeconfigInvalid", names: /not YAML/ },
      putGoodCredentials,
    );
  });

  test("rights that are too narrow, by verb and resource", async () => {
    const binding: KubeObject & { roleRef: object; subjects: object[] } = {
      metadata: { name: linkServiceAccountName(CONSUMER) },
      roleRef: {
        apiGroup: "rbac.authorization.k8s.io",
        kind: "ClusterRole",
        name: LINK_CLUSTER_ROLE,
      },
      subjects: [
        {
          kind: "ServiceAccount",
          name: linkServiceAccountName(CONSUMER),
          namespace: INSTALL_NAMESPACE,
        },
      ],
    };
    await expectRefusal(
      async (of, gateway) => {
        await putGoodCredentials(of);
        await of.west.remove(RESOURCES.clusterRoleBindings, { name: binding.metadata.name });
        await link(of, gateway);
      },
      {
        type: "CredentialsValid",
        says: "False PermissionDenied",
        names: /verb list on resource (services|endpointslices)/,
      },
      async ({ west }) => {
        await west.create(RESOURCES.clusterRoleBindings, binding);
      },
    );
  });
});

describe("a provider's API that cannot be used is named, and used once it can:", () => {
  test("a server that cannot be reached", async () => {
    await expectRefusal(
      async (of, gateway) => {
        const spoil = (cluster: Record<string, unknown>) =>
          (cluster["server"] = "https://127.0.0.1:1");
        await putCredentials(of, await spoiltKubeconfig(of, spoil));
        await link(of, gateway);
      },
      {
        type: "ApiReachable",
        says: "False ServerUnreachable",
        names: /https:\/\/127\.0\.0\.1:1 .*ECONNREFUSED/,
      },
      putGoodCredentials,
    );
  });

  test("a server whose certificate is not trusted", async () => {
    await expectRefusal(
      async (of, gateway) => {
        const ca = Buffer.from(of.identity.ca.certificatePem).toString("base64");
        const spoil = (cluster: Record<string, unknown>) =>
          (cluster["certificate-authority-data"] = ca);
        await putCredentials(of, await spoiltKubeconfig(of, spoil));
        await link(of, gateway);
      },
      {
        type: "ApiReachable",
        says: "False ServerCertificateInvalid",
        names: /certificate-authority-data/,
      },
      putGoodCredentials,
    );
  });
});

describe("a provider's gateway that cannot be used is named, and used once it can:", () => {
  const gatewayService = { namespace: INSTALL_NAMESPACE, name: GATEWAY_NAME };

  test("no gateway Service, then one without an address", async () => {
    const createService = async (of: World, { port }: Provider) => {
      await of.west.create<Service>(RESOURCES.services, {
        metadata: gatewayService,
        spec: { type: "LoadBalancer", ports: [{ name: "ingress", port }] },
      });
    };
    await expectRefusal(
      async (of) => {
        await putGoodCredentials(of);
        await putLink(of, {});
      },
      {
        type: "GatewayHealthy",
        says: "False GatewayMissing",
        names: /isthmus-gateway.*link install/,
      },
      async (of, gateway) => {
        await createService(of, gateway);
        const { message } = await untilCondition(
          of,
          "GatewayHealthy",
          "False GatewayAddressPending",
        );
        expect(message).toContain("spec.gateway.addresses");
        const status = { loadBalancer: { ingress: [{ ip: "127.0.0.1" }] } };
        await of.west.patch(
          RESOURCES.services,
          gatewayService,
          { status },
          { type: "merge", subresource: "status" },
        );
      },
    );
    await world().west.remove(RESOURCES.services, gatewayService);
  });

  test("no gateway at the address", async () => {
    await expectRefusal(
      async (of) => {
        await putGoodCredentials(of);
        await putLink(of, { addresses: ["127.0.0.1"], port: 1 });
      },
      {
        type: "GatewayHealthy",
        says: "False GatewayUnreachable",
        names: /127\.0\.0\.1:1: .*ECONNREFUSED/,
      },
      async ({ east }, { port }) => {
        await east.patch(
          RESOURCES.links,
          { namespace: INSTALL_NAMESPACE, name: "west" },
          { spec: { gateway: { port } } },
          { type: "merge" },
        );
      },
    );
  });

  test("a gateway that does not know this cluster", async () => {
    await expectRefusal(
      async (of, gateway) => {
        gateway.ingress.setPeers([]);
        await putGoodCredentials(of);
        await link(of, gateway);
      },
      { type: "TrustValid", says: "False PeerRejected", names: /Peer for east/ },
      async (of, gateway) => {
        const { data } = await of.east.get<KubeObject & { data: Record<string, string> }>(
          RESOURCES.configMaps,
          { namespace: INSTALL_NAMESPACE, name: "isthmus-identity" },
        );
        gateway.ingress.setPeers([
          {
            name: CONSUMER,
            serverName: "east.peer.isthmus",
            bundlePem: data["ca.crt"] ?? "",
            identity: "spiffe://east/isthmus/gateway",
          },
        ]);
      },
    );
  });

  test("a trust bundle of another CA, which follows what the provider publishes", async () => {
    await startController(world());
    const gateway = await startGateway(world());
    const { createIdentity } = await import("../gateway/two-gateways.ts");
    const stranger = await createIdentity("west");
    await putGoodCredentials(world());
    await putLink(
      world(),
      { addresses: ["127.0.0.1"], port: gateway.port },
      { trustBundle: stranger.ca.certificatePem },
    );
    const { message } = await untilCondition(world(), "TrustValid", "False GatewayNotTrusted");
    expect(message).toContain("spec.trustBundle");
    await untilCondition(world(), "Ready", "True LinkReady", 40_000);
    expect((await linkEvents(world(), "TrustBundleUpdated")).length).toBeGreaterThan(0);
  });
});

test("two Links to one cluster: the older one works, the other says so and takes over", async () => {
  await startController(world());
  const gateway = await startGateway(world());
  await putGoodCredentials(world());
  await link(world(), gateway);
  await untilCondition(world(), "Ready", "True LinkReady");
  const second = { namespace: INSTALL_NAMESPACE, name: "a-second" };
  const { spec } = await getLink(world());
  const made = { metadata: second, spec: { ...Object(spec), clusterName: "west" } };
  await world().east.create(RESOURCES.links, made);
  const reasonOf = async (name: string) => {
    const found = await world().east.get<
      typeof made & { status?: { conditions: { type: string; reason: string }[] } }
    >(RESOURCES.links, { ...second, name });
    return found.status?.conditions.find(({ type }) => type === "Ready")?.reason;
  };
  await expect
    .poll(async () => await reasonOf("a-second"), { timeout: 10_000 })
    .toBe("DuplicateClusterName");
  expect(await reasonOf("west")).toBe("LinkReady");
  await world().east.remove(RESOURCES.links, { ...second, name: "west" });
  await expect.poll(async () => await reasonOf("a-second"), { timeout: 20_000 }).toBe("LinkReady");
  await world().east.remove(RESOURCES.links, second);
  await world().east.remove(RESOURCES.secrets, SECRET_KEY);
});
