import { CONFIG_MAP_NAME } from "../../../api/names.ts";
import type { Deployment, KubeObject } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { CliError, EXIT_CODES } from "../cli-error.ts";
import {
  COMPONENT_NAMES,
  DEPLOYMENT_NAMES,
  installationRecord,
  type InstallationRecord,
  type Manifest,
  renderManifests,
} from "../install/manifests.ts";
import { isBefore } from "./version-order.ts";

/** What an installation is now: its own record, and its two Deployments, as far as they are there. */
export interface Present {
  readonly record: InstallationRecord;
  readonly deployments: ReadonlyMap<string, RunningDeployment>;
}

export interface RunningDeployment {
  readonly image: string | undefined;
  readonly replicas: number | undefined;
}

/** What the person asks to be otherwise; what is absent stays as it is. */
export interface Wishes {
  readonly image?: string | undefined;
  readonly replicas?: number | undefined;
  readonly components?: readonly string[] | undefined;
  readonly namespaces?: readonly string[] | undefined;
  /** Also to a version before the installed one. */
  readonly force: boolean;
}

/** What is to be applied, and in words what changes by it. */
export interface UpgradePlan {
  readonly clusterName: string;
  readonly manifests: readonly Manifest[];
  readonly record: InstallationRecord;
  /** Such as `version: 0.1.0 → 0.2.0`; empty when nothing of this kind changes. */
  readonly changes: readonly string[];
}

/** Of releases that did not write their version down. */
const UNRECORDED = "before 0.2.0";

/**
 * Decides what an upgrade applies: the manifests of this program with what the
 * installation says of itself, and with what is wished. Replicas stay where
 * they are not what the manifests gave; an image that is not from where the
 * manifests have theirs has to be named anew for another version.
 * @throws CliError for a downgrade without `force`, and for an image that only the person knows.
 */
export async function planUpgrade(
  present: Present,
  wishes: Wishes,
  contextName: string,
): Promise<UpgradePlan> {
  const { clusterName } = present.record;
  if (clusterName === undefined) {
    throw new CliError(
      `context ${contextName}: ConfigMap isthmus-system/${CONFIG_MAP_NAME} does not say the cluster's name`,
      { fix: `put the name that linked clusters know back under its key clusterName` },
    );
  }
  const components = wishes.components ?? keptComponents(present.record, contextName);
  const namespaces = wishes.namespaces ?? present.record.namespaces;
  const manifests = await renderManifests({ clusterName, components, namespaces });
  const before = await renderManifests({
    clusterName,
    components: knownComponents(present.record),
    namespaces: present.record.namespaces,
  });
  const record = recordOf(manifests);
  checkVersion(present.record, record, wishes, contextName);
  const changes = recordChanges(present.record, record);
  for (const name of DEPLOYMENT_NAMES) {
    const was = present.deployments.get(name) ?? { image: undefined, replicas: undefined };
    const given = deploymentOf(manifests, name);
    const image = chooseImage(was.image, given.image, present.record, record, wishes, contextName);
    const usual = deploymentOf(before, name).replicas;
    const isScaled = was.replicas !== undefined && was.replicas !== usual;
    const replicas = wishes.replicas ?? (isScaled ? was.replicas : given.replicas);
    setDeployment(manifests, name, { image, replicas });
    if (was.image !== image)
      changes.push(`image of ${name}: ${was.image ?? "none"} → ${image ?? ""}`);
    if (was.replicas !== replicas) {
      changes.push(`replicas of ${name}: ${was.replicas ?? "none"} → ${replicas ?? ""}`);
    }
  }
  return { clusterName, manifests, record, changes };
}

/** Those of an installation that this version has, but for the one that follows from the namespaces. */
function knownComponents({ components }: InstallationRecord): string[] {
  const known: readonly string[] = COMPONENT_NAMES.filter((name) => name !== BY_NAMESPACES);
  return components.filter((name) => known.includes(name));
}

const BY_NAMESPACES = "restricted-namespaces";

function keptComponents(record: InstallationRecord, contextName: string): string[] {
  const kept = knownComponents(record);
  const unknown = record.components.filter(
    (name) => name !== BY_NAMESPACES && !kept.includes(name),
  );
  if (unknown.length === 0) return kept;
  throw new CliError(
    `context ${contextName}: component ${unknown.join(", ")} is installed, which this version does not have`,
    {
      fix: `name those that are to stay with --components ${kept.join(",") || "none"}`,
      exitCode: EXIT_CODES.usage,
    },
  );
}

function recordOf(manifests: readonly Manifest[]): InstallationRecord {
  const config = manifests.find(({ object }) => object.metadata.name === CONFIG_MAP_NAME);
  if (config === undefined) throw new Error(`the manifests lack ConfigMap ${CONFIG_MAP_NAME}`);
  return installationRecord(config.object);
}

function checkVersion(
  { version: from }: InstallationRecord,
  { version: to = "" }: InstallationRecord,
  { force }: Wishes,
  contextName: string,
): void {
  if (from === undefined || force || !isBefore(to, from)) return;
  throw new CliError(
    `context ${contextName}: version ${from} is installed, and this program has ${to}, which comes before it`,
    {
      fix: `use the program of version ${from} or later; or give --force, when you know that ${to} reads what ${from} has written`,
    },
  );
}

function recordChanges(was: InstallationRecord, is: InstallationRecord): string[] {
  const rows = [
    ["version", was.version ?? UNRECORDED, is.version ?? ""],
    ["components", listed(was.components), listed(is.components)],
    ["namespaces", listed(was.namespaces, "all"), listed(is.namespaces, "all")],
  ] as const;
  return rows
    .filter(([, from, to]) => from !== to)
    .map(([what, from, to]) => `${what}: ${from} → ${to}`);
}

function listed(names: readonly string[], none = "none"): string {
  return names.length === 0 ? none : names.toSorted().join(", ");
}

function chooseImage(
  was: string | undefined,
  given: string | undefined,
  from: InstallationRecord,
  to: InstallationRecord,
  wishes: Wishes,
  contextName: string,
): string | undefined {
  if (wishes.image !== undefined) return wishes.image;
  if (was === undefined || given === undefined) return given;
  if (from.version === to.version) return was;
  if (repositoryOf(was) === repositoryOf(given)) return given;
  throw new CliError(
    `context ${contextName}: the image ${was} is not from where this program has its own (${given}), so which is that of version ${to.version ?? ""} is not known`,
    { fix: "name it with --image", exitCode: EXIT_CODES.usage },
  );
}

/** An image reference without its tag and digest. */
function repositoryOf(image: string): string {
  const [name = ""] = image.split("@");
  return name.replace(/:[^:/]*$/, "");
}

interface DeploymentObject extends Deployment {
  spec?: {
    replicas?: number;
    template?: { spec?: { containers?: { image?: string }[] } };
  };
}

/** Image and replicas of a Deployment, live or of the manifests. */
export function runningOf({ spec }: DeploymentObject): RunningDeployment {
  return { image: spec?.template?.spec?.containers?.[0]?.image, replicas: spec?.replicas };
}

function deploymentOf(manifests: readonly Manifest[], name: string): RunningDeployment {
  const found = find(manifests, RESOURCES.deployments.kind, name);
  return found === undefined ? { image: undefined, replicas: undefined } : runningOf(found);
}

function find(manifests: readonly Manifest[], kind: string, name: string): KubeObject | undefined {
  return manifests.find(
    ({ resource, object }) => resource.kind === kind && object.metadata.name === name,
  )?.object;
}

function setDeployment(
  manifests: readonly Manifest[],
  name: string,
  { image, replicas }: RunningDeployment,
): void {
  const deployment: DeploymentObject | undefined = find(
    manifests,
    RESOURCES.deployments.kind,
    name,
  );
  if (deployment?.spec === undefined) return;
  const container = deployment.spec.template?.spec?.containers?.[0];
  if (container !== undefined && image !== undefined) container.image = image;
  if (replicas === undefined) return;
  deployment.spec.replicas = replicas;
  const budget: (KubeObject & { spec?: { minAvailable?: number } }) | undefined = find(
    manifests,
    RESOURCES.podDisruptionBudgets.kind,
    name,
  );
  // A budget of one of one would block every drain of its node.
  if (budget?.spec !== undefined && replicas === 1) budget.spec.minAvailable = 0;
}
