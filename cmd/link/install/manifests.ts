import { isDnsLabel } from "../../../api/names-schema.ts";
import {
  ANNOTATIONS,
  CONFIG_CLUSTER_NAME_KEY,
  CONFIG_COMPONENT_PREFIX,
  CONFIG_MAP_NAME,
  CONFIG_NAMESPACES_KEY,
  CONFIG_VERSION_KEY,
  CONTROLLER_NAME,
  GATEWAY_NAME,
  GATEWAY_TLS_SECRET_NAME,
  gatewayIdentity,
} from "../../../api/names.ts";
import type { ConfigMap, KubeObject } from "../../../api/objects.ts";
import { type Resource, RESOURCES, resourceOf } from "../../../api/resources.ts";
import { CliError, EXIT_CODES } from "../cli-error.ts";
import { didYouMean } from "../suggest.ts";
import { applyPatch } from "./json-patch.ts";
import { addKustomization, readKustomization } from "./kustomization.ts";
import { readManifestFiles } from "./manifest-files.ts";

/** The folders of manifests/components, in the order in which they are added. */
export const COMPONENT_NAMES = [
  "nodeport",
  "host-port",
  "ha",
  "network-policy",
  "restricted-namespaces",
  "cert-manager",
  "monitoring",
] as const;
export type ComponentName = (typeof COMPONENT_NAMES)[number];

/** Each says how the gateway is reached; only one can be true. */
export const EXCLUSIVE: readonly ComponentName[] = ["nodeport", "host-port"];

/** What a cluster's manifests differ in. */
export interface ManifestOptions {
  clusterName: string;
  /** Image of controller and gateway; default: that of the manifests. */
  image?: string | undefined;
  /** Replicas of controller and of gateway; default: those of the manifests. */
  replicas?: number | undefined;
  /** Components to add, in any order. */
  components?: readonly string[] | undefined;
  /** Where mirrors and exports may be; not empty stands for component restricted-namespaces. Default: everywhere. */
  namespaces?: readonly string[] | undefined;
}

/** An object and how the API server addresses it. */
export interface Manifest {
  readonly resource: Resource;
  readonly object: KubeObject;
}

/**
 * The objects of manifests/base and of the components, in an order they can be
 * applied in, with the options filled in: the same that kustomize and the Helm
 * chart give.
 * @throws CliError (usage) as `requireComponents` and `requireNamespaces` do.
 */
export async function renderManifests(options: ManifestOptions): Promise<Manifest[]> {
  const files = await readManifestFiles();
  const namespaces = requireNamespaces(options.namespaces ?? []);
  const components = requireComponents([
    ...(options.components ?? []),
    ...(namespaces.length === 0 ? [] : ["restricted-namespaces"]),
  ]);
  if (components.includes("restricted-namespaces") && namespaces.length === 0) {
    throw new CliError("component restricted-namespaces needs to know the namespaces", {
      fix: "name them with --namespaces shop,payments",
      exitCode: EXIT_CODES.usage,
    });
  }
  let objects = addKustomization([], readKustomization(files, "base"));
  for (const component of components) {
    objects = addKustomization(objects, readKustomization(files, `components/${component}`));
    if (component !== "restricted-namespaces") continue;
    const perNamespace = readKustomization(files, `components/${component}/namespace`);
    for (const namespace of namespaces) {
      const copies = addKustomization([], perNamespace);
      for (const { metadata } of copies) metadata.namespace = namespace;
      objects.push(...copies);
    }
  }
  for (const object of objects) fillIn(object, { ...options, namespaces });
  return objects.map((object) => ({ resource: knownResource(object), object }));
}

/**
 * The components of these names, each once, in the order in which they are added.
 * @throws CliError (usage) for a name that is none, and for two that contradict each other.
 */
export function requireComponents(names: readonly string[]): ComponentName[] {
  for (const name of names) {
    if (COMPONENT_NAMES.some((known) => known === name)) continue;
    throw new CliError(`there is no component "${name}"`, {
      fix: didYouMean(name, COMPONENT_NAMES) ?? `choose from ${COMPONENT_NAMES.join(", ")}`,
      exitCode: EXIT_CODES.usage,
    });
  }
  const chosen = COMPONENT_NAMES.filter((name) => names.includes(name));
  const exclusive = chosen.filter((name) => EXCLUSIVE.includes(name));
  if (exclusive.length > 1) {
    throw new CliError(`components ${exclusive.join(" and ")} exclude each other`, {
      fix: "choose one: the gateway is reached by ports of its Service or of its nodes",
      exitCode: EXIT_CODES.usage,
    });
  }
  return chosen;
}

/**
 * Namespaces, sorted and each once.
 * @throws CliError (usage) for a name that no namespace can have.
 */
function requireNamespaces(names: readonly string[]): string[] {
  const wrong = names.find((name) => !isDnsLabel(name));
  if (wrong === undefined) return [...new Set(names)].toSorted();
  throw new CliError(`"${wrong}" cannot be the name of a namespace`, {
    fix: "use at most 63 of a-z, 0-9 and '-', with a letter or digit at both ends",
    exitCode: EXIT_CODES.usage,
  });
}

/** What an installation says of itself in ConfigMap isthmus-config. */
export interface InstallationRecord {
  /** Absent before 0.2.0. */
  readonly version: string | undefined;
  readonly clusterName: string | undefined;
  readonly components: readonly string[];
  /** Empty: all. */
  readonly namespaces: readonly string[];
}

/** Reads ConfigMap isthmus-config. */
export function installationRecord({ data = {} }: ConfigMap): InstallationRecord {
  return {
    version: data[CONFIG_VERSION_KEY],
    clusterName: data[CONFIG_CLUSTER_NAME_KEY],
    components: Object.keys(data)
      .filter((key) => key.startsWith(CONFIG_COMPONENT_PREFIX))
      .map((key) => key.slice(CONFIG_COMPONENT_PREFIX.length)),
    namespaces: (data[CONFIG_NAMESPACES_KEY] ?? "").split(",").filter((name) => name !== ""),
  };
}

function knownResource({ apiVersion = "", kind = "", metadata }: KubeObject): Resource {
  const resource = resourceOf(apiVersion, kind);
  if (resource === undefined) throw new Error(`api/resources.ts lacks ${kind} ${metadata.name}`);
  return resource;
}

function fillIn(
  object: KubeObject,
  { clusterName, image, replicas, namespaces = [] }: ManifestOptions,
): void {
  const set = (path: string, value: string | number | string[] | Record<string, string>) =>
    applyPatch(object, [{ op: "add", path, value }]);
  switch (object.kind ?? "") {
    case RESOURCES.configMaps.kind:
      if (object.metadata.name !== CONFIG_MAP_NAME) break;
      set(`/data/${CONFIG_CLUSTER_NAME_KEY}`, clusterName);
      if (namespaces.length > 0) set(`/data/${CONFIG_NAMESPACES_KEY}`, namespaces.join());
      break;
    case RESOURCES.deployments.kind:
      if (replicas !== undefined) set("/spec/replicas", replicas);
      if (image !== undefined) set("/spec/template/spec/containers/0/image", image);
      // Read at the start only: another list has to start the pods anew.
      if (namespaces.length > 0) {
        set("/spec/template/metadata/annotations", { [ANNOTATIONS.namespaces]: namespaces.join() });
      }
      break;
    case RESOURCES.certificates.kind:
      if (object.metadata.name !== GATEWAY_TLS_SECRET_NAME) break;
      set("/spec/uris", [gatewayIdentity(clusterName)]);
      break;
    case RESOURCES.podDisruptionBudgets.kind:
      // A budget of one of one would block every drain of its node.
      if (replicas === 1) set("/spec/minAvailable", 0);
      break;
  }
}

/** The Deployments whose rollout an installation waits for. */
export const DEPLOYMENT_NAMES = [CONTROLLER_NAME, GATEWAY_NAME] as const;
