import { INSTALL_NAMESPACE, MANAGED_BY } from "../../../../api/names.ts";
import type { Fact } from "../fact.ts";
import { type ClusterFacts, DEFINITION_NAMES } from "../facts/cluster-facts.ts";
import { describeRight, type Right } from "../facts/expected-rights.ts";
import { type Finding, findingsOf } from "../report.ts";

/** The CRDs' rules use the CEL library `format`, which API servers take in new objects from 1.32 on. */
const MIN_MINOR = 32;
/** The newest that the tests ran on. */
const TESTED_MINOR = 35;

const PART_OF = "app.kubernetes.io/part-of";

/** Versions of groups without which nothing works. */
const NEEDED_GROUP_VERSIONS: readonly string[] = [
  "v1",
  "apps/v1",
  "apiextensions.k8s.io/v1",
  "coordination.k8s.io/v1",
  "discovery.k8s.io/v1",
  "events.k8s.io/v1",
  "policy/v1",
  "rbac.authorization.k8s.io/v1",
];

/** What every installation needs of a cluster. Pure. */
export function judgePlatform(facts: ClusterFacts): Finding[] {
  const about = `cluster of context ${facts.context}`;
  return [judgeApi(facts, about), judgeVersion(facts, about), judgeGroups(facts, about)];
}

/** What only a first installation needs. Pure. */
export function judgeBeforeInstall(facts: ClusterFacts, denied: Fact<readonly Right[]>): Finding[] {
  const about = `cluster of context ${facts.context}`;
  return [
    judgeInstallRights(denied, about),
    judgeNamespace(facts, about),
    judgeDefinitionNames(facts, about),
    judgeNodes(facts, about),
  ];
}

function judgeApi({ version, context }: ClusterFacts, about: string): Finding {
  const { ok, fail } = findingsOf("kube-api", about);
  if ("value" in version) return ok(`answers as Kubernetes ${version.value.gitVersion}`);
  return fail(
    version.unknown,
    `check the server and the credentials of context ${context}: kubectl --context ${context} version`,
  );
}

function judgeVersion({ version }: ClusterFacts, about: string): Finding {
  const { ok, warn, fail, skip } = findingsOf("kube-version", about);
  if ("unknown" in version) return skip(version.unknown);
  const { gitVersion, major, minor } = version.value;
  if (major < 1 || (major === 1 && minor < MIN_MINOR)) {
    return fail(
      `Kubernetes ${gitVersion} does not take the rules in the CustomResourceDefinitions`,
      `upgrade the cluster to 1.${MIN_MINOR} or later`,
    );
  }
  if (major > 1 || minor > TESTED_MINOR) {
    return warn(
      `Kubernetes ${gitVersion} is newer than 1.${TESTED_MINOR}, the newest that this version of Isthmus was tested on`,
      "look whether there is a newer version of Isthmus",
    );
  }
  return ok(`Kubernetes ${gitVersion}; 1.${MIN_MINOR} or later is needed`);
}

function judgeGroups({ groupVersions }: ClusterFacts, about: string): Finding {
  const { ok, fail, skip } = findingsOf("api-groups", about);
  if ("unknown" in groupVersions) return skip(groupVersions.unknown);
  const missing = NEEDED_GROUP_VERSIONS.filter((name) => !groupVersions.value.includes(name));
  if (missing.length === 0) return ok(`${NEEDED_GROUP_VERSIONS.length} of them, all served`);
  return fail(
    `not served: ${missing.join(", ")}`,
    "switch these on in the API server's --runtime-config",
  );
}

function judgeInstallRights(denied: Fact<readonly Right[]>, about: string): Finding {
  const { ok, fail, skip } = findingsOf("install-rights", about);
  if ("unknown" in denied) return skip(denied.unknown);
  if (denied.value.length === 0) return ok("the user of this context may make all of it");
  return fail(
    `the user of this context may not: ${denied.value.map(describeRight).join("; ")}`,
    "use a context of a cluster administrator",
  );
}

function judgeNamespace({ namespace, context }: ClusterFacts, about: string): Finding {
  const { ok, fail, skip } = findingsOf("namespace-free", about);
  if ("unknown" in namespace) return skip(namespace.unknown);
  const { value } = namespace;
  if (value === undefined) return ok(`namespace ${INSTALL_NAMESPACE} does not exist yet`);
  if (value.metadata.deletionTimestamp !== undefined) {
    return fail(
      `namespace ${INSTALL_NAMESPACE} is being deleted`,
      `wait until it is gone; what holds it up: kubectl --context ${context} get namespace ${INSTALL_NAMESPACE} -o yaml`,
    );
  }
  return ok(`namespace ${INSTALL_NAMESPACE} exists and is used`);
}

function judgeDefinitionNames({ definitions, context }: ClusterFacts, about: string): Finding {
  const { ok, fail, skip } = findingsOf("crds-free", about);
  if ("unknown" in definitions) return skip(definitions.unknown);
  for (const [index, definition] of definitions.value.entries()) {
    const name = DEFINITION_NAMES[index] ?? "";
    if (definition?.metadata.deletionTimestamp !== undefined) {
      return fail(
        `CustomResourceDefinition ${name} is being deleted`,
        `wait until it is gone; objects of it that are left: kubectl --context ${context} get ${name} -A`,
      );
    }
    if (definition !== undefined && definition.metadata.labels?.[PART_OF] !== MANAGED_BY) {
      return fail(
        `CustomResourceDefinition ${name} exists without the label ${PART_OF}: ${MANAGED_BY}: it is somebody else's`,
        `remove it, if nothing of it is in use: kubectl --context ${context} delete crd ${name}`,
      );
    }
  }
  return ok(`${DEFINITION_NAMES.join(" and ")}: nobody else has them`);
}

function judgeNodes({ nodes }: ClusterFacts, about: string): Finding {
  const { ok, fail, skip } = findingsOf("node-platform", about);
  if ("unknown" in nodes) return skip(nodes.unknown);
  const fitting = nodes.value.filter(
    ({ spec, status }) =>
      spec?.unschedulable !== true &&
      status?.nodeInfo?.operatingSystem === "linux" &&
      status.nodeInfo.architecture === "amd64" &&
      status.conditions?.some(({ type, status: state }) => type === "Ready" && state === "True") ===
        true,
  );
  if (fitting.length > 0) {
    return ok(`${fitting.length} of ${nodes.value.length} nodes are Ready, linux and amd64`);
  }
  const seen = nodes.value.map(({ status }) => {
    const { operatingSystem = "?", architecture = "?" } = status?.nodeInfo ?? {};
    return `${operatingSystem}/${architecture}`;
  });
  return fail(
    `none of ${nodes.value.length} nodes is Ready, schedulable, linux and amd64${seen.length === 0 ? "" : ` (there are: ${[...new Set(seen)].join(", ")})`}`,
    "add a node of the image's platform, or make one schedulable: kubectl uncordon NODE",
  );
}
