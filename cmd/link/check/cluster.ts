import type { Clock } from "../../../api/clock.ts";
import {
  CONTROLLER_NAME,
  GATEWAY_NAME,
  IDENTITY_KEYS,
  INSTALL_NAMESPACE,
  linkServiceAccountName,
} from "../../../api/names.ts";
import type { KubeObject } from "../../../api/objects.ts";
import { parsePeerSpec } from "../../../api/peer.ts";
import packageJson from "../../../package.json" with { type: "json" };
import type { ClusterAccess } from "../cluster-access.ts";
import {
  type InstallationRecord,
  installationRecord,
  renderManifests,
} from "../install/manifests.ts";
import { providerObjects } from "../join/provider-objects.ts";
import { type Fact, known, lookUp } from "./fact.ts";
import {
  type ClusterFacts,
  gatherCluster,
  gatherInstallation,
  type InstallationFacts,
  type PodTemplateSpec,
} from "./facts/cluster-facts.ts";
import { expectedRights } from "./facts/expected-rights.ts";
import { type AccountRights, gatherAccountRights } from "./facts/rights.ts";
import { judgeOwnCertificates } from "./judge/certificates.ts";
import { judgeClusterClocks } from "./judge/clocks.ts";
import { isInstalled, judgeInstallation, judgeRights } from "./judge/installation.ts";
import { judgePlatform } from "./judge/platform.ts";
import type { Finding } from "./report.ts";

/** A cluster that was looked at. */
export interface SeenCluster {
  readonly access: ClusterAccess;
  readonly cluster: ClusterFacts;
  readonly installation: InstallationFacts;
  /** Undefined where nothing is installed, or that is not known. */
  readonly record: InstallationRecord | undefined;
  /** Its name among its peers; empty where that is not known. */
  readonly name: string;
  readonly findings: readonly Finding[];
}

/** Looks at one cluster by itself: platform, installation, rights, clocks, certificates. */
export async function seeCluster(
  access: ClusterAccess,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<SeenCluster> {
  const nowMs = () => clock.nowMs();
  const cluster = await gatherCluster(access, nowMs, signal);
  const installation = await gatherInstallation(access, signal);
  const config = known(installation.config);
  const record = config && installationRecord(config);
  const name =
    known(installation.identity)?.data?.[IDENTITY_KEYS.clusterName] ?? record?.clusterName ?? "";
  const platform = judgePlatform(cluster);
  const installed = judgeInstallation(cluster, installation, packageJson.version);
  const seen = { access, cluster, installation, record, name };
  if (!isInstalled(installation) || record === undefined) {
    const said = installed.filter(({ id }) => id === "installed");
    return { ...seen, findings: [...platform, ...said, ...judgeClusterClocks(cluster, undefined)] };
  }
  const manifests = await shippedObjects(record);
  const rightsOf = async (account: string, objects: readonly KubeObject[]) => {
    const key = { namespace: INSTALL_NAMESPACE, name: account };
    return await gatherAccountRights(access, key, expectedRights(objects, key), { nowMs, signal });
  };
  const [controller, gateway] = await Promise.all([
    rightsOf(CONTROLLER_NAME, manifests),
    rightsOf(GATEWAY_NAME, manifests),
  ]);
  const install = `link upgrade --context ${access.contextName} puts the shipped roles back`;
  const findings = [
    ...platform,
    ...installed,
    judgeRights("rbac-controller", accountWords(CONTROLLER_NAME, access), controller, install),
    judgeRights("rbac-gateway", accountWords(GATEWAY_NAME, access), gateway, install),
    ...judgeClusterClocks(cluster, controller),
    ...judgeOwnCertificates(installation, { context: access.contextName, nowMs: cluster.nowMs }),
  ];
  for (const peer of known(installation.peers) ?? []) {
    const parsed = await lookUp(signal, async () => parsePeerSpec(peer));
    if ("unknown" in parsed) continue;
    const { clusterName, identity, trustBundle } = parsed.value;
    const account = linkServiceAccountName(clusterName);
    const consumer = { clusterName, gatewayIdentity: identity, trustBundle };
    const namespaces = record.namespaces.length === 0 ? {} : { namespaces: record.namespaces };
    const own = providerObjects(consumer, namespaces).map(({ resource, object }) => ({
      kind: resource.kind,
      ...object,
    }));
    const rights: Fact<AccountRights> = await rightsOf(account, [...manifests, ...own]);
    const rejoin = `link join ${access.contextName} --context <context of ${clusterName}>`;
    findings.push(judgeRights("rbac-link", accountWords(account, access), rights, rejoin));
  }
  return { ...seen, findings };
}

/** The pods of a cluster's gateways, which the probe's pods resemble. */
export function gatewayPods({ installation }: SeenCluster): PodTemplateSpec | undefined {
  const workloads = known(installation.workloads) ?? [];
  const gateway = workloads.find(({ name }) => name === GATEWAY_NAME);
  return gateway?.deployment?.spec?.template?.spec;
}

/** What this program would install there. */
async function shippedObjects({
  clusterName = "",
  components,
  namespaces,
}: InstallationRecord): Promise<KubeObject[]> {
  const manifests = await renderManifests({ clusterName, components, namespaces });
  return manifests.map(({ object }) => object);
}

function accountWords(name: string, { contextName }: ClusterAccess): string {
  return `ServiceAccount ${INSTALL_NAMESPACE}/${name}, ${contextName}`;
}
