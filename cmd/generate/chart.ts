import { readFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import {
  ANNOTATIONS,
  CONFIG_CLUSTER_NAME_KEY,
  CONFIG_MAP_NAME,
  CONFIG_NAMESPACES_KEY,
  GATEWAY_TLS_SECRET_NAME,
  gatewayIdentity,
} from "../../api/names.ts";
import type { KubeObject } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import {
  isTarget,
  type Kustomization,
  type Patch,
  readKustomization,
} from "../link/install/kustomization.ts";
import { readManifestFiles } from "../link/install/manifest-files.ts";
import { COMPONENT_NAMES } from "../link/install/manifests.ts";
import { templateText } from "./chart-text.ts";
import { addOperation, type Node, replaceValues, template, treeOf } from "./chart-tree.ts";
import { componentValue, valueFiles } from "./chart-values.ts";

const PROJECT_FOLDER = path.join(import.meta.dirname, "../..");
const CHART_FOLDER = "manifests/helm/isthmus";
const HEAD = "# Generated from manifests/ by npm run generate: edits are lost.\n";
const NAMESPACES = ".Values.namespaces";

/** An object of the chart. */
interface Part {
  readonly object: KubeObject;
  readonly tree: Node;
  /** Of the template. */
  readonly file: string;
  /** Helm expressions that all have to hold for it to be there. */
  readonly conditions: string[];
}

/**
 * The files of the Helm chart by their path in the repository: base and components, with conditions around them.
 * @param generated manifests by their path in the repository, for those whose files may be out of date
 */
export async function chartFiles(
  generated: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const sources = await readManifestFiles();
  for (const [file, text] of Object.entries(generated)) {
    sources[file.replace(/^manifests\//, "")] = text;
  }
  const base = readKustomization(sources, "base");
  const parts = base.objects.map((object) => partOf(object, base, "", []));
  const perNamespace: [string, string][] = [];
  for (const component of COMPONENT_NAMES) {
    const folder = `components/${component}`;
    const added = readKustomization(sources, folder);
    const when = componentValue(component);
    parts.push(...added.objects.map((object) => partOf(object, added, component, [when])));
    for (const patch of added.patches) addPatch(parts, patch, when);
    if (sources[`${folder}/namespace/kustomization.yaml`] === undefined) continue;
    const repeated = readKustomization(sources, `${folder}/namespace`);
    for (const { metadata, ...object } of repeated.objects) {
      const inNamespace = { ...object, metadata: { ...metadata, namespace: "" } };
      const { tree, file } = partOf(inNamespace, repeated, `${component}/namespace`, []);
      replaceValues(tree, ["metadata", "namespace"], () => template("{{ . }}"));
      perNamespace.push([
        file,
        `{{- range ${NAMESPACES} }}\n---\n${templateText(tree)}{{- end }}\n`,
      ]);
    }
  }
  for (const { object, tree } of parts) fillIn(object, tree);
  const templates = [
    ...parts.map(({ file, tree, conditions }): [string, string] => [
      file,
      guarded(templateText(tree), conditions),
    ]),
    ...perNamespace,
  ];
  return Object.fromEntries([
    ...templates.map(([file, text]) => [`${CHART_FOLDER}/templates/${file}`, HEAD + text]),
    ...Object.entries(valueFiles(await packageVersion())).map(([file, text]) => [
      `${CHART_FOLDER}/${file}`,
      text,
    ]),
  ]);
}

function partOf(
  { apiVersion, kind, metadata, ...rest }: KubeObject,
  { labels }: Kustomization,
  folder: string,
  conditions: string[],
): Part {
  const kept = KEPT_KINDS.some((keptKind) => keptKind === kind) ? KEEP : {};
  const annotations = { ...metadata.annotations, ...kept };
  const object = {
    apiVersion: apiVersion ?? "",
    kind: kind ?? "",
    metadata: {
      ...metadata,
      labels: { ...metadata.labels, ...labels },
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    },
    ...rest,
  };
  const name = `${object.kind.toLowerCase()}-${metadata.name}.yaml`;
  return { object, tree: treeOf(object), file: path.posix.join(folder, name), conditions };
}

/** With these Helm would delete every Link and Peer and the cluster's CA when the release is uninstalled. */
const KEPT_KINDS = [RESOURCES.customResourceDefinitions.kind, RESOURCES.namespaces.kind];
const KEEP = { "helm.sh/resource-policy": "keep" };

function addPatch(parts: readonly Part[], { target, change }: Patch, when: string): void {
  for (const { object, tree, conditions } of parts) {
    if (!isTarget(object, target)) continue;
    if (change === "delete") conditions.push(`(not ${when})`);
    else for (const operation of change) addOperation(tree, when, operation);
  }
}

/** Puts actions in the place of what `renderManifests` fills in. */
function fillIn({ kind, metadata }: KubeObject, tree: Node): void {
  switch (kind ?? "") {
    case RESOURCES.configMaps.kind: {
      if (metadata.name !== CONFIG_MAP_NAME) break;
      const clusterName = template("{{ .Values.clusterName | quote }}");
      replaceValues(tree, ["data", CONFIG_CLUSTER_NAME_KEY], () => clusterName);
      const keys = ["data", CONFIG_NAMESPACES_KEY];
      addWhenRestricted(tree, keys, null);
      replaceValues(tree, keys, () => JOINED_NAMESPACES);
      break;
    }
    case RESOURCES.deployments.kind: {
      const image = template("{{ .Values.image | quote }}");
      replaceValues(tree, ["spec", "template", "spec", "containers", "0", "image"], () => image);
      replaceValues(tree, ["spec", "replicas"], (node) =>
        template(`{{ .Values.replicas | default ${numberIn(node)} }}`),
      );
      const keys = ["spec", "template", "metadata", "annotations"];
      addWhenRestricted(tree, keys, { [ANNOTATIONS.namespaces]: null });
      replaceValues(tree, [...keys, ANNOTATIONS.namespaces], () => JOINED_NAMESPACES);
      break;
    }
    case RESOURCES.certificates.kind: {
      if (metadata.name !== GATEWAY_TLS_SECRET_NAME) break;
      const identity = template(gatewayIdentity("{{ .Values.clusterName }}"));
      replaceValues(tree, ["spec", "uris", "0"], () => identity);
      break;
    }
    case RESOURCES.podDisruptionBudgets.kind:
      replaceValues(tree, ["spec", "minAvailable"], (node) =>
        template(`{{ eq (int .Values.replicas) 1 | ternary 0 ${numberIn(node)} }}`),
      );
      break;
  }
}

const JOINED_NAMESPACES = template(`{{ ${NAMESPACES} | sortAlpha | join "," | quote }}`);

function addWhenRestricted(
  tree: Node,
  keys: readonly string[],
  value: Record<string, null> | null,
): void {
  addOperation(tree, NAMESPACES, { op: "add", path: `/${keys.join("/")}`, value });
}

function numberIn(node: Node): number {
  return z.number().parse(node.type === "leaf" ? node.value : undefined);
}

function guarded(text: string, conditions: readonly string[]): string {
  if (conditions.length === 0) return text;
  const [only = ""] = conditions;
  const condition = conditions.length === 1 ? only : `and ${conditions.join(" ")}`;
  return `{{- if ${condition} }}\n${text}{{- end }}\n`;
}

async function packageVersion(): Promise<string> {
  const text = await readFile(path.join(PROJECT_FOLDER, "package.json"), "utf8");
  const { version }: { version: string } = JSON.parse(text);
  return version;
}
