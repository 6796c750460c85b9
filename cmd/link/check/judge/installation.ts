import {
  API_GROUP,
  API_VERSION,
  CONFIG_MAP_NAME,
  CONTROLLER_NAME,
  IDENTITY_CONFIG_MAP_NAME,
  IDENTITY_KEYS,
  INSTALL_NAMESPACE,
} from "../../../../api/names.ts";
import { installationRecord } from "../../install/manifests.ts";
import type { Fact } from "../fact.ts";
import type { ClusterFacts, InstallationFacts } from "../facts/cluster-facts.ts";
import { describeRight } from "../facts/expected-rights.ts";
import type { AccountRights } from "../facts/rights.ts";
import { type CheckId, type Finding, findingsOf } from "../report.ts";

/** A leader renews every few seconds; by its own clock, so that what is a little late says nothing. */
const LEASE_STALE_MS = 60_000;

/** What is installed in one cluster, and whether it runs. Pure. */
export function judgeInstallation(
  cluster: ClusterFacts,
  facts: InstallationFacts,
  ownVersion: string,
): Finding[] {
  const { context } = cluster;
  const about = `cluster of context ${context}`;
  return [
    judgeInstalled(facts, context, about),
    judgeDeployedVersion(facts, { ownVersion, context, about }),
    judgeServed(cluster, about),
    ...judgeWorkloads(facts, context),
    judgeLeader(facts, cluster.nowMs, about),
    judgeAddress(facts, context, about),
  ];
}

/** Whether a cluster can be asked about its installation at all. */
export function isInstalled({ config }: InstallationFacts): boolean {
  return "value" in config && config.value !== undefined;
}

function judgeInstalled(
  { config, identity }: InstallationFacts,
  context: string,
  about: string,
): Finding {
  const { ok, fail, skip } = findingsOf("installed", about);
  if ("unknown" in config) return skip(config.unknown);
  if (config.value === undefined) {
    return fail(
      `ConfigMap ${INSTALL_NAMESPACE}/${CONFIG_MAP_NAME} is missing: Isthmus is not installed`,
      `link install --context ${context}`,
    );
  }
  if ("unknown" in identity) return skip(identity.unknown);
  const { clusterName = "" } = installationRecord(config.value);
  const published = identity.value?.data?.[IDENTITY_KEYS.clusterName];
  if (published === undefined) {
    return fail(
      `ConfigMap ${INSTALL_NAMESPACE}/${IDENTITY_CONFIG_MAP_NAME} is missing or names no cluster: the controller has not published who this cluster is`,
      `kubectl --context ${context} -n ${INSTALL_NAMESPACE} logs deployment/${CONTROLLER_NAME}`,
    );
  }
  if (published !== clusterName) {
    return fail(
      `the controller publishes the name ${published}, ConfigMap ${CONFIG_MAP_NAME} says ${clusterName}`,
      `put ${published} back into ConfigMap ${CONFIG_MAP_NAME}: certificates and linked clusters carry that name`,
    );
  }
  return ok(`installed as cluster ${clusterName}`);
}

function judgeDeployedVersion(
  { config }: InstallationFacts,
  { ownVersion, context, about }: { ownVersion: string; context: string; about: string },
): Finding {
  const { ok, warn, skip } = findingsOf("isthmus-version", about);
  if ("unknown" in config) return skip(config.unknown);
  if (config.value === undefined) return skip("Isthmus is not installed");
  const { version } = installationRecord(config.value);
  if (version === ownVersion) return ok(`${version}, as this program`);
  const installed = version ?? "a version before 0.2.0";
  return warn(
    `installed is ${installed}, this program is ${ownVersion}`,
    `link upgrade --context ${context}, or use the program of that version`,
  );
}

/** Whether the two sides of a link are of versions that know each other. Pure. */
export function judgeVersionSkew(
  consumer: InstallationFacts,
  provider: InstallationFacts,
): Finding {
  const { ok, warn, skip } = findingsOf("isthmus-version", "provider and consumer");
  const [here, there] = [versionOf(consumer.config), versionOf(provider.config)];
  if (here === undefined || there === undefined) return skip("a version is not known");
  if (minorOf(here) === minorOf(there)) return ok(`consumer ${here}, provider ${there}`);
  return warn(
    `the consumer runs ${here}, the provider ${there}`,
    "upgrade the older one; versions one minor apart work together, more are not tested",
  );
}

function versionOf(config: InstallationFacts["config"]): string | undefined {
  return "value" in config && config.value !== undefined
    ? installationRecord(config.value).version
    : undefined;
}

function minorOf(version: string): string {
  return version.split(".").slice(0, 2).join(".");
}

function judgeServed(
  { definitions, groupVersions, context }: ClusterFacts,
  about: string,
): Finding {
  const { ok, fail, skip } = findingsOf("crds-served", about);
  if ("unknown" in groupVersions) return skip(groupVersions.unknown);
  const served = groupVersions.value.includes(`${API_GROUP}/${API_VERSION}`);
  if ("unknown" in definitions) {
    return served ? ok(`${API_GROUP}/${API_VERSION} is served`) : skip(definitions.unknown);
  }
  const trouble = definitions.value
    .flatMap((definition) => definition?.status?.conditions ?? [])
    .find(({ type, status }) => type === "Established" && status !== "True");
  if (served && trouble === undefined) return ok(`${API_GROUP}/${API_VERSION} is served`);
  return fail(
    trouble === undefined
      ? `${API_GROUP}/${API_VERSION} is not served`
      : `a CustomResourceDefinition is not Established: ${trouble.message ?? ""}`,
    `link install --context ${context}`,
  );
}

function judgeWorkloads({ workloads }: InstallationFacts, context: string): Finding[] {
  const ids = { controller: "controller-ready", gateway: "gateway-ready" } as const;
  if ("unknown" in workloads) {
    return Object.values(ids).map((id) =>
      findingsOf(id, `cluster of context ${context}`).skip(workloads.unknown),
    );
  }
  return workloads.value.map(({ name, trouble, deployment }) => {
    const id: CheckId = name === CONTROLLER_NAME ? ids.controller : ids.gateway;
    const { ok, fail } = findingsOf(id, `Deployment ${INSTALL_NAMESPACE}/${name}, ${context}`);
    if (trouble === undefined) return ok("rolled out, all pods ready");
    const look = `kubectl --context ${context} -n ${INSTALL_NAMESPACE} describe pods -l app.kubernetes.io/name=${name}`;
    return fail(trouble, deployment === undefined ? `link install --context ${context}` : look);
  });
}

function judgeLeader({ lease }: InstallationFacts, nowMs: number, about: string): Finding {
  const { ok, fail, skip } = findingsOf("controller-leader", about);
  if ("unknown" in lease) return skip(lease.unknown);
  const { holderIdentity = "", renewTime = "" } = lease.value?.spec ?? {};
  if (holderIdentity === "") {
    return fail("no controller leads: nothing is mirrored", "see controller-ready");
  }
  const ageMs = nowMs - Date.parse(renewTime);
  if (ageMs > LEASE_STALE_MS) {
    return fail(
      `${holderIdentity} has not renewed its Lease since ${renewTime}`,
      "see controller-ready and clock-skew; another replica takes over when it can",
    );
  }
  return ok(`${holderIdentity} leads`);
}

function judgeAddress(
  { gatewayService, config }: InstallationFacts,
  context: string,
  about: string,
): Finding {
  const { ok, warn, fail, skip } = findingsOf("gateway-address", about);
  if ("unknown" in gatewayService) return skip(gatewayService.unknown);
  const { value: service } = gatewayService;
  if (service === undefined) {
    return fail(
      `Service ${INSTALL_NAMESPACE}/isthmus-gateway is missing`,
      `link install --context ${context}`,
    );
  }
  const components =
    "value" in config && config.value !== undefined
      ? installationRecord(config.value).components
      : [];
  if (components.includes("host-port")) return ok("reached by a port of its nodes (host-port)");
  if (service.spec?.type !== "LoadBalancer") {
    const port = service.spec?.ports?.find(({ nodePort }) => nodePort !== undefined)?.nodePort;
    return port === undefined
      ? warn(
          `Service ${INSTALL_NAMESPACE}/isthmus-gateway is of type ${service.spec?.type ?? "ClusterIP"}: no other cluster reaches it by itself`,
          "give Links spec.gateway.addresses that lead to it, or install component nodeport or host-port",
        )
      : ok(`reached by port ${port} of the nodes`);
  }
  const addresses = (service.status?.loadBalancer?.ingress ?? []).map(
    ({ ip, hostname }) => ip ?? hostname ?? "",
  );
  if (addresses.length > 0) return ok(addresses.join(", "));
  return warn(
    `Service ${INSTALL_NAMESPACE}/isthmus-gateway has no address: its load balancer is not there, or not yet`,
    "wait for it; where there is none, install component nodeport or host-port. A cluster that only consumes needs none",
  );
}

/** Whether an account may do what the shipped roles give it. Pure. */
export function judgeRights(
  id: "rbac-controller" | "rbac-gateway" | "rbac-link",
  account: string,
  rights: Fact<AccountRights>,
  fix: string,
): Finding {
  const { ok, fail, skip } = findingsOf(id, account);
  if ("unknown" in rights) return skip(rights.unknown);
  const { asked, denied, exists } = rights.value;
  if (!exists) return fail("the ServiceAccount does not exist", fix);
  if (denied.length === 0) return ok(`may do all of ${asked} things it was asked for`);
  return fail(
    `may not: ${denied.map(describeRight).join("; ")}`,
    `${fix}; if that changes nothing, look for what denies besides RBAC (a webhook authorizer)`,
  );
}
