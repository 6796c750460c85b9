import { expect, test } from "vitest";
import { parse, stringify } from "yaml";
import {
  INSTALL_NAMESPACE,
  LINK_CLUSTER_ROLE,
  linkServiceAccountName,
} from "../../../api/names.ts";
import type { KubeObject } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { CONSUMER, useWorld } from "./clusters.ts";
import {
  goodKubeconfig,
  putCredentials,
  putLink,
  startController,
  startGateway,
  untilReady,
  untilRefused,
} from "./link-world.ts";

const world = useWorld();

interface Kubeconfig {
  clusters: { cluster: Record<string, unknown> }[];
  users: { user: Record<string, unknown> }[];
  "current-context"?: string;
}

type Spoil = (
  cluster: Record<string, unknown>,
  user: Record<string, unknown>,
  whole: Kubeconfig,
) => void;

/** A good kubeconfig with something changed. */
async function spoiltKubeconfig(spoil: Spoil): Promise<string> {
  const whole: Kubeconfig = parse(await goodKubeconfig(world()));
  const cluster = whole.clusters[0]?.cluster;
  const user = whole.users[0]?.user;
  if (cluster === undefined || user === undefined) throw new Error("no kubeconfig");
  spoil(cluster, user, whole);
  return stringify(whole);
}

/** Everything of a link but its credentials. */
async function linkWithout(): Promise<void> {
  await startController(world());
  const gateway = await startGateway(world());
  await putLink(world(), { addresses: ["127.0.0.1"], port: gateway.port });
}

async function correct(): Promise<string> {
  await putCredentials(world(), await goodKubeconfig(world()));
  return await untilReady(world());
}

test("a Secret that is missing is named, and used once it is there", async () => {
  await linkWithout();
  const message = await untilRefused(world(), "CredentialsValid", "SecretNotFound");
  expect(message).toMatch(/isthmus-link-west.*link join/);
  expect(await correct()).toBe("LinkReady");
});

test("a Secret without the key is named with the keys it has, and used once it has it", async () => {
  await linkWithout();
  await putCredentials(world(), await goodKubeconfig(world()), "config");
  const message = await untilRefused(world(), "CredentialsValid", "SecretKeyMissing");
  expect(message).toMatch(/key kubeconfig .*config/);
  expect(await correct()).toBe("LinkReady");
});

test("a kubeconfig that is not YAML is named, and used once it is", async () => {
  await linkWithout();
  await putCredentials(world(), "{ not: [yaml");
  const message = await untilRefused(world(), "CredentialsValid", "KubeconfigInvalid");
  expect(message).toContain("not YAML");
  expect(await correct()).toBe("LinkReady");
});

test.each<{ name: string; reason: string; names: RegExp; spoil: Spoil }>([
  {
    name: "without a current context",
    reason: "KubeconfigInvalid",
    names: /current-context/,
    spoil: (_cluster, _user, whole) => delete whole["current-context"],
  },
  {
    name: "with an exec plugin",
    reason: "KubeconfigRefused",
    names: /user\.exec.*ServiceAccount token/,
    spoil: (_cluster, user) => (user["exec"] = { command: "true" }),
  },
  {
    name: "with insecure-skip-tls-verify",
    reason: "KubeconfigRefused",
    names: /insecure-skip-tls-verify.*certificate-authority-data/,
    spoil: (cluster) => (cluster["insecure-skip-tls-verify"] = true),
  },
  {
    name: "with a token that is rejected",
    reason: "CredentialsRejected",
    names: /https:.*401.*link join/,
    spoil: (_cluster, user) => (user["token"] = "not.a.token"),
  },
])("a kubeconfig $name is refused, and used once corrected", async ({ reason, names, spoil }) => {
  await linkWithout();
  await putCredentials(world(), await spoiltKubeconfig(spoil));
  expect(await untilRefused(world(), "CredentialsValid", reason)).toMatch(names);
  expect(await correct()).toBe("LinkReady");
});

test.each<{ name: string; reason: string; names: RegExp; spoil: Spoil }>([
  {
    name: "that cannot be reached",
    reason: "ServerUnreachable",
    names: /https:\/\/127\.0\.0\.1:1 .*ECONNREFUSED/,
    spoil: (cluster) => (cluster["server"] = "https://127.0.0.1:1"),
  },
  {
    name: "whose certificate is not trusted",
    reason: "ServerCertificateInvalid",
    names: /certificate-authority-data/,
    spoil: (cluster) => {
      const { certificatePem } = world().identity.ca;
      cluster["certificate-authority-data"] = Buffer.from(certificatePem).toString("base64");
    },
  },
])("a server $name is named, and used once corrected", async ({ reason, names, spoil }) => {
  await linkWithout();
  await putCredentials(world(), await spoiltKubeconfig(spoil));
  expect(await untilRefused(world(), "ApiReachable", reason)).toMatch(names);
  expect(await correct()).toBe("LinkReady");
});

test("rights that are too narrow are named by verb and resource, and used once granted", async () => {
  const name = linkServiceAccountName(CONSUMER);
  const binding: KubeObject & { roleRef: object; subjects: object[] } = {
    metadata: { name },
    roleRef: {
      apiGroup: "rbac.authorization.k8s.io",
      kind: "ClusterRole",
      name: LINK_CLUSTER_ROLE,
    },
    subjects: [{ kind: "ServiceAccount", name, namespace: INSTALL_NAMESPACE }],
  };
  await startController(world());
  const gateway = await startGateway(world());
  await putCredentials(world(), await goodKubeconfig(world()));
  await world().west.remove(RESOURCES.clusterRoleBindings, { name });
  await putLink(world(), { addresses: ["127.0.0.1"], port: gateway.port });
  const message = await untilRefused(world(), "CredentialsValid", "PermissionDenied");
  expect(message).toMatch(/verb (get|list) on resource (services|endpointslices)/);
  await world().west.create(RESOURCES.clusterRoleBindings, binding);
  expect(await untilReady(world())).toBe("LinkReady");
});
