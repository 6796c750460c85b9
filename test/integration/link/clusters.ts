import { KubeConfig } from "@kubernetes/client-node";
import { afterAll, beforeAll } from "vitest";
import { providerObjects } from "../../../cmd/link/join/provider-objects.ts";
import { renderManifests } from "../../../cmd/link/install/manifests.ts";
import {
  gatewayIdentity,
  IDENTITY_CONFIG_MAP_NAME,
  INSTALL_NAMESPACE,
  linkServiceAccountName,
} from "../../../api/names.ts";
import type { ConfigMap } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { createKubeClient, type KubeClient } from "../../../kube/client/client.ts";
import { loadKubeconfig } from "../../../kube/kubeconfig/kubeconfig.ts";
import type { Bed, Cluster } from "../../bed/bed.ts";
import { useBed } from "../../bed/vitest-bed.ts";
import { eventually } from "../fixtures.ts";
import { createIdentity, type Identity } from "../gateway/two-gateways.ts";

/** Two control planes of this file's own: a controller acts on everything in its cluster. */

export const PROVIDER = "west";
export const CONSUMER = "east";

/** What the shipped manifests make without nodes: Pods would never run. */
const INSTALLED_KINDS = new Set([
  "Namespace",
  "CustomResourceDefinition",
  "ServiceAccount",
  "ClusterRole",
  "ClusterRoleBinding",
  "Role",
  "RoleBinding",
]);

export interface World {
  readonly bed: Bed;
  /** Administrators. */
  readonly west: KubeClient;
  readonly east: KubeClient;
  readonly provider: Cluster;
  readonly consumer: Cluster;
  /** Of the provider's gateway. */
  readonly identity: Identity;
}

/** Brings both clusters up with what Isthmus installs in them, for the tests of this file. */
export function useWorld(): () => World {
  const bed = useBed(() => ({
    clusters: [
      { name: PROVIDER, nodes: 0 },
      { name: CONSUMER, nodes: 0, audit: true },
    ],
  }));
  let world: World | undefined;
  beforeAll(async () => {
    const [provider, consumer] = [bed().cluster(PROVIDER), bed().cluster(CONSUMER)];
    const west = adminOf(provider);
    const east = adminOf(consumer);
    const identity = await createIdentity(PROVIDER);
    world = { bed: bed(), west, east, provider, consumer, identity };
    await Promise.all([install(west), install(east)]);
    await publishIdentity(world);
  });
  afterAll(async () => {
    await Promise.all([world?.west.close(), world?.east.close()]);
  });
  return () => {
    if (world === undefined) throw new Error("the clusters are up only while tests run");
    return world;
  };
}

/** What the provider's own controller would publish. */
export async function publishIdentity({ west, identity }: World, bundle?: string): Promise<void> {
  const data = {
    clusterName: identity.name,
    gatewayIdentity: gatewayIdentity(identity.name),
    "ca.crt": bundle ?? identity.ca.certificatePem,
  };
  await west.apply<ConfigMap>(
    RESOURCES.configMaps,
    { metadata: { namespace: INSTALL_NAMESPACE, name: IDENTITY_CONFIG_MAP_NAME }, data },
    { fieldManager: "test", force: true },
  );
}

/** The consumer's account on the provider, as `link join` makes it. */
export async function admitConsumer({ west }: World, trustBundle: string): Promise<void> {
  const consumer = {
    clusterName: CONSUMER,
    gatewayIdentity: gatewayIdentity(CONSUMER),
    trustBundle,
  };
  for (const { resource, object } of providerObjects(consumer)) {
    await west.apply(resource, object, { fieldManager: "test", force: true });
  }
}

/** A token of a ServiceAccount in the install namespace. */
export async function tokenFor(
  admin: KubeClient,
  serviceAccount: string,
  expirationSeconds = 3600,
): Promise<string> {
  const answer = await admin.request<{ status: { token: string } }>({
    method: "POST",
    path: `/api/v1/namespaces/${INSTALL_NAMESPACE}/serviceaccounts/${serviceAccount}/token`,
    body: {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: { expirationSeconds },
    },
  });
  return answer.status.token;
}

/** A token of the consumer's account on the provider. */
export async function linkToken({ west }: World, expirationSeconds?: number): Promise<string> {
  return await tokenFor(west, linkServiceAccountName(CONSUMER), expirationSeconds);
}

/** A cluster's API as someone with a token. */
export function tokenConfig(
  { server, caPem }: Pick<Cluster, "server" | "caPem">,
  token: string,
): KubeConfig {
  const config = new KubeConfig();
  const caData = Buffer.from(caPem).toString("base64");
  config.loadFromClusterAndUser(
    { name: "test", server, caData, skipTLSVerify: false },
    { name: "test", token },
  );
  return config;
}

/** An administrator's client of a cluster. */
export function adminOf({ kubeconfigPath }: Cluster): KubeClient {
  return createKubeClient(loadKubeconfig({ path: kubeconfigPath }));
}

/** Applies what `link install` applies, as far as it needs no node. */
export async function install(admin: KubeClient): Promise<void> {
  for (const { resource, object } of await renderManifests({ clusterName: PROVIDER })) {
    if (!INSTALLED_KINDS.has(resource.kind)) continue;
    await admin.apply(resource, object, { fieldManager: "test", force: true });
  }
  await eventually(async () => await admin.list(RESOURCES.links, { limit: 1 }), {
    describe: "the API server serves Links",
  });
}
