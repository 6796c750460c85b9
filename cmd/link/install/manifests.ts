import { type Document, parse, parseAllDocuments } from "yaml";
import { z } from "zod";
import {
  CONFIG_CLUSTER_NAME_KEY,
  CONFIG_MAP_NAME,
  CONTROLLER_NAME,
  GATEWAY_NAME,
} from "../../../api/names.ts";
import type { KubeObject } from "../../../api/objects.ts";
import { type Resource, RESOURCES, resourceOf } from "../../../api/resources.ts";
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

/**
 * The objects of manifests/base in the order of its kustomization.yaml, which
 * is an order they can be applied in, with the options filled in.
 */
export async function renderManifests(options: ManifestOptions): Promise<Manifest[]> {
  const files = await readManifestFiles();
  const { resources } = kustomizationSchema.parse(parse(files["kustomization.yaml"] ?? ""));
  return resources
    .flatMap((file) => parseAllDocuments(files[file] ?? ""))
    .map((document) => {
      fillIn(document, options);
      const object: KubeObject = document.toJS();
      return { resource: knownResource(object), object };
    });
}

function knownResource({ apiVersion = "", kind = "", metadata }: KubeObject): Resource {
  const resource = resourceOf(apiVersion, kind);
  if (resource === undefined) throw new Error(`api/resources.ts lacks ${kind} ${metadata.name}`);
  return resource;
}

function fillIn(document: Document, { clusterName, image, replicas }: ManifestOptions): void {
  switch (document.get("kind")) {
    case RESOURCES.configMaps.kind:
      if (document.getIn(["metadata", "name"]) === CONFIG_MAP_NAME) {
        document.setIn(["data", CONFIG_CLUSTER_NAME_KEY], clusterName);
      }
      break;
    case RESOURCES.deployments.kind:
      if (replicas !== undefined) document.setIn(["spec", "replicas"], replicas);
      if (image !== undefined) document.setIn([...FIRST_CONTAINER, "image"], image);
      break;
    case RESOURCES.podDisruptionBudgets.kind:
      // A budget of one of one would block every drain of its node.
      if (replicas === 1) document.setIn(["spec", "minAvailable"], 0);
      break;
  }
}

const FIRST_CONTAINER = ["spec", "template", "spec", "containers", 0];

/** The Deployments whose rollout an installation waits for. */
export const DEPLOYMENT_NAMES = [CONTROLLER_NAME, GATEWAY_NAME] as const;
