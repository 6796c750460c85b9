import { parse, parseAllDocuments } from "yaml";
import { z } from "zod";
import {
  CONFIG_CLUSTER_NAME_KEY,
  CONFIG_MAP_NAME,
  CONTROLLER_NAME,
  GATEWAY_NAME,
} from "../../../api/names.ts";
import type { ConfigMap, KubeObject } from "../../../api/objects.ts";
import { apiVersionOf, RESOURCES, type Resource, resourceOf } from "../../../api/resources.ts";
import { readManifestFiles } from "./manifest-files.ts";

/** What a cluster's manifests differ in. */
export interface ManifestOptions {
  clusterName: string;
  /** Image of controller and gateway; default: that of the manifests. */
  image?: string | undefined;
  /** Replicas of controller and of gateway; default: those of the manifests. */
  replicas?: number | undefined;
}

/** An object and how the API server addresses it. */
export interface Manifest {
  readonly resource: Resource;
  readonly object: KubeObject;
}

const kustomizationSchema = z.object({ resources: z.array(z.string()) });

interface DeploymentManifest extends KubeObject {
  spec: { replicas: number; template: { spec: { containers: { image: string }[] } } };
}

interface BudgetManifest extends KubeObject {
  spec: { minAvailable: number };
}

/**
 * The objects of manifests/base in the order of its kustomization.yaml, which
 * is an order they can be applied in, with the options filled in.
 */
export async function renderManifests(options: ManifestOptions): Promise<Manifest[]> {
  const files = await readManifestFiles();
  const { resources } = kustomizationSchema.parse(parse(files["kustomization.yaml"] ?? ""));
  return resources
    .flatMap((file) => parseAllDocuments(files[file] ?? "").map((document) => document.toJS()))
    .map((object: KubeObject) => {
      fillIn(object, options);
      return { resource: knownResource(object), object };
    });
}

function knownResource({ apiVersion = "", kind = "", metadata }: KubeObject): Resource {
  const resource = resourceOf(apiVersion, kind);
  if (resource === undefined) throw new Error(`api/resources.ts lacks ${kind} ${metadata.name}`);
  return resource;
}

function fillIn(object: KubeObject, { clusterName, image, replicas }: ManifestOptions): void {
  if (isA(object, RESOURCES.configMaps) && object.metadata.name === CONFIG_MAP_NAME) {
    (object as ConfigMap).data = { [CONFIG_CLUSTER_NAME_KEY]: clusterName };
  }
  if (isA(object, RESOURCES.deployments)) {
    const { spec } = object as DeploymentManifest;
    if (replicas !== undefined) spec.replicas = replicas;
    for (const container of spec.template.spec.containers) {
      if (image !== undefined) container.image = image;
    }
  }
  // A budget of one of one would block every drain of its node.
  if (isA(object, RESOURCES.podDisruptionBudgets) && replicas !== undefined && replicas < 2) {
    (object as BudgetManifest).spec.minAvailable = 0;
  }
}

function isA(object: KubeObject, resource: Resource): boolean {
  return object.kind === resource.kind && object.apiVersion === apiVersionOf(resource);
}

/** The Deployments whose rollout an installation waits for. */
export const DEPLOYMENT_NAMES = [CONTROLLER_NAME, GATEWAY_NAME] as const;
