import { expect, onTestFinished, test } from "vitest";
import {
  gatewayIdentity,
  IDENTITY_CONFIG_MAP_NAME,
  INSTALL_NAMESPACE,
  linkServiceAccountName,
} from "../../../api/names.ts";
import type { ConfigMap, KubeObject } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { linkKubeconfig } from "../../../cmd/link/join/consumer-objects.ts";
import { providerObjects } from "../../../cmd/link/join/provider-objects.ts";
import { eventually } from "../fixtures.ts";
import { HURRIED } from "../hurried-clock.ts";
import { CONSUMER, PROVIDER, tokenFor, useWorld } from "./clusters.ts";
import {
  consumerBundle,
  getLink,
  goodKubeconfig,
  LINK_KEY,
  linkEvents,
  putCredentials,
  putLink,
  readyLink,
  readyStatus,
  SECRET_KEY,
  startController,
  startGateway,
  untilCondition,
  untilReady,
  untilRefused,
} from "./link-world.ts";

const world = useWorld();
const ACCOUNT = linkServiceAccountName(CONSUMER);
const ACCOUNT_KEY = { namespace: INSTALL_NAMESPACE, name: ACCOUNT };

/** What a provider promises a consumer whose rights it takes away. */
const REVOKED_WITHIN_MS = 10_000;

async function patchCredentials(kubeconfig: string): Promise<void> {
  const data = { kubeconfig: Buffer.from(kubeconfig).toString("base64") };
  await world().east.patch(RESOURCES.secrets, SECRET_KEY, { data }, { type: "merge" });
}

/** A working kubeconfig, of the consumer's own cluster. */
async function kubeconfigOfAnotherCluster(): Promise<string> {
  const { east, consumer } = world();
  const trustBundle = await consumerBundle(world());
  const stranger = {
    clusterName: CONSUMER,
    gatewayIdentity: gatewayIdentity(CONSUMER),
    trustBundle,
  };
  for (const { resource, object } of providerObjects(stranger)) {
    await east.apply(resource, object, { fieldManager: "test", force: true });
  }
  const token = await tokenFor(east, ACCOUNT);
  return linkKubeconfig("other", { ...consumer, tlsServerName: undefined }, token);
}

test("a ServiceAccount that is deleted closes the link within 10 s, and a new join opens it", async () => {
  await readyLink(world());
  await world().west.remove(RESOURCES.serviceAccounts, ACCOUNT_KEY);
  await untilCondition(world(), "Ready", "False CredentialsRevoked", REVOKED_WITHIN_MS);
  const { message } = await untilCondition(world(), "CredentialsValid", "False CredentialsRevoked");
  expect(message).toMatch(/isthmus-link-east was deleted.*link join/);
  await putCredentials(world(), await goodKubeconfig(world()));
  expect(await untilReady(world())).toBe("LinkReady");
});

test("a ServiceAccount that was deleted and made anew is another one: its old tokens are revoked", async () => {
  await readyLink(world());
  await world().west.remove(RESOURCES.serviceAccounts, ACCOUNT_KEY);
  await world().west.create<KubeObject>(RESOURCES.serviceAccounts, { metadata: ACCOUNT_KEY });
  await untilCondition(world(), "Ready", "False CredentialsRevoked", REVOKED_WITHIN_MS);
  await putCredentials(world(), await goodKubeconfig(world()));
  expect(await untilReady(world())).toBe("LinkReady");
});

test.each([
  { what: "the binding to what every link may read", resource: RESOURCES.clusterRoleBindings },
  { what: "the binding to what is its own", resource: RESOURCES.roleBindings },
])("$what that is deleted closes the link within 10 s", async ({ resource }) => {
  await readyLink(world());
  const namespaced = resource === RESOURCES.roleBindings;
  await world().west.remove(resource, namespaced ? ACCOUNT_KEY : { name: ACCOUNT });
  await untilCondition(world(), "Ready", "False PermissionDenied", REVOKED_WITHIN_MS);
  // It grants the rights again.
  await goodKubeconfig(world());
  expect(await untilReady(world())).toBe("LinkReady");
});

test("an account that may not watch itself, as older joins made it, works, and is closed once its token is refused", async () => {
  await startController(world(), "controller-0", HURRIED);
  const gateway = await startGateway(world());
  await putCredentials(world(), await goodKubeconfig(world()));
  const role = await world().west.get<KubeObject & { rules?: { resources: string[] }[] }>(
    RESOURCES.roles,
    ACCOUNT_KEY,
  );
  const rules = role.rules?.filter(({ resources }) => !resources.includes("serviceaccounts"));
  await world().west.patch(RESOURCES.roles, ACCOUNT_KEY, { rules }, { type: "merge" });
  await putLink(world(), { addresses: ["127.0.0.1"], port: gateway.port });
  expect(await untilReady(world())).toBe("LinkReady");
  await world().west.remove(RESOURCES.serviceAccounts, ACCOUNT_KEY);
  await untilCondition(world(), "Ready", "False CredentialsRejected", 30_000);
});

test("a kubeconfig of another cluster is refused beside the one that works, and forgotten once it is corrected", async () => {
  await readyLink(world());
  const before = await getLink(world());
  await patchCredentials(await kubeconfigOfAnotherCluster());
  const { message } = await untilCondition(world(), "CredentialsValid", "False WrongCluster");
  expect(message).toMatch(/is cluster "east".*the Link is for west/);
  expect(await readyStatus(world())).toBe("True");
  await patchCredentials(await goodKubeconfig(world()));
  await untilCondition(world(), "CredentialsValid", "True KubeconfigValid");
  const after = await getLink(world());
  const readySince = ({ status }: typeof after) =>
    status?.conditions?.find(({ type }) => type === "Ready")?.lastTransitionTime;
  expect(readySince(after)).toBe(readySince(before));
});

test("a kubeconfig of another cluster never opens a link", async () => {
  await startController(world());
  const gateway = await startGateway(world());
  await putCredentials(world(), await kubeconfigOfAnotherCluster());
  await putLink(world(), { addresses: ["127.0.0.1"], port: gateway.port });
  expect(await untilRefused(world(), "CredentialsValid", "WrongCluster")).toContain("east");
  await putCredentials(world(), await goodKubeconfig(world()));
  expect(await untilReady(world())).toBe("LinkReady");
});

test("a cluster that does not say who it is does not take over from one that does", async () => {
  const { east } = world();
  const { controller } = await readyLink(world());
  const kubeconfig = await kubeconfigOfAnotherCluster();
  // The controller of the consumer would publish it again.
  await controller.stop();
  const key = { namespace: INSTALL_NAMESPACE, name: IDENTITY_CONFIG_MAP_NAME };
  const again = await startController(world(), "controller-1");
  await eventually(() => expect(again.leading).toBe(true), { describe: "a leader" });
  const published = await east.get<ConfigMap>(RESOURCES.configMaps, key);
  await east.remove(RESOURCES.configMaps, key);
  onTestFinished(async () => {
    const { name, namespace } = published.metadata;
    await east.apply(
      RESOURCES.configMaps,
      { metadata: { name, namespace: namespace ?? "" }, data: published.data ?? {} },
      { fieldManager: "test", force: true },
    );
  });
  await patchCredentials(kubeconfig);
  await untilCondition(world(), "CredentialsValid", "False WrongCluster");
});

test("a Link to this cluster itself is refused, and used once it names another", async () => {
  await startController(world());
  const { port } = await startGateway(world());
  await putCredentials(world(), await goodKubeconfig(world()));
  const specTo = (clusterName: string) => ({
    clusterName,
    gateway: { addresses: ["127.0.0.1"], port, identity: gatewayIdentity(clusterName) },
  });
  await putLink(world(), {}, specTo(CONSUMER));
  const { message } = await untilCondition(world(), "Ready", "False OwnClusterName");
  expect(message).toContain("spec.clusterName");
  await eventually(
    async () => expect(await linkEvents(world(), "OwnClusterName")).not.toEqual([]),
    { describe: "an Event says so" },
  );
  const spec = specTo(PROVIDER);
  await world().east.patch(RESOURCES.links, LINK_KEY, { spec }, { type: "merge" });
  expect(await untilReady(world())).toBe("LinkReady");
});
