import { parse, parseAllDocuments } from "yaml";
import { z } from "zod";
import type { KubeObject } from "../../../api/objects.ts";
import { applyPatch, type Operation, operationSchema } from "./json-patch.ts";

/** The objects that a patch changes: by kind, and by name unless it is of all of the kind. */
const targetSchema = z.strictObject({ kind: z.string(), name: z.string().optional() });

const patchSchema = z.strictObject({
  path: z.string().optional(),
  patch: z.string().optional(),
  target: targetSchema,
});

/** As much of a kustomization.yaml as the manifests use; anything else is refused. */
const kustomizationSchema = z.strictObject({
  apiVersion: z.string(),
  kind: z.enum(["Kustomization", "Component"]),
  resources: z.array(z.string()).default([]),
  patches: z.array(patchSchema).default([]),
  labels: z
    .array(
      z.strictObject({
        pairs: z.record(z.string(), z.string()),
        includeSelectors: z.literal(false).optional(),
      }),
    )
    .default([]),
});

const deletionSchema = z.object({ $patch: z.literal("delete") });

/** A change of the objects that are there: a JSON patch, or the removal of the whole object. */
export interface Patch {
  readonly target: z.infer<typeof targetSchema>;
  readonly change: readonly Operation[] | "delete";
}

/** A folder with a kustomization.yaml, read. */
export interface Kustomization {
  /** In the order of the kustomization.yaml. */
  readonly objects: readonly KubeObject[];
  readonly patches: readonly Patch[];
  /** Put on every object that is there, the earlier ones included. */
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * Reads a folder as `kubectl kustomize` does, for the part of its language that the manifests use.
 * @param files texts by their path in manifests/
 * @param folder path in manifests/, for example `components/ha`
 * @throws Error when a file is missing or the kustomization says something that is not understood here.
 */
export function readKustomization(
  files: Readonly<Record<string, string>>,
  folder: string,
): Kustomization {
  const textOf = (file: string) => {
    const text = files[`${folder}/${file}`];
    if (text === undefined) throw new Error(`manifests/${folder}/${file} is missing`);
    return text;
  };
  const { resources, patches, labels } = kustomizationSchema.parse(
    parse(textOf("kustomization.yaml")),
  );
  return {
    objects: resources.flatMap((file) =>
      parseAllDocuments(textOf(file)).map((document): KubeObject => document.toJS()),
    ),
    patches: patches.map(({ path, patch, target }) => ({
      target,
      change: changeOf(parse(patch ?? textOf(path ?? ""))),
    })),
    labels: Object.assign({}, ...labels.map(({ pairs }) => pairs)),
  };
}

function changeOf(value: unknown): Patch["change"] {
  if (deletionSchema.safeParse(value).success) return "delete";
  return z.array(operationSchema).parse(value);
}

/** The objects as one folder's kustomization leaves them: its own added, then patched, then labelled. */
export function addKustomization(
  objects: readonly KubeObject[],
  { objects: own, patches, labels }: Kustomization,
): KubeObject[] {
  let all = [...objects, ...structuredClone(own)];
  for (const { target, change } of patches) {
    const targets = all.filter((object) => isTarget(object, target));
    if (targets.length === 0) {
      throw new Error(`a patch is of ${target.kind} ${target.name ?? ""}, which is not there`);
    }
    if (change === "delete") all = all.filter((object) => !targets.includes(object));
    else for (const object of targets) applyPatch(object, change);
  }
  for (const { metadata } of all) metadata.labels = { ...metadata.labels, ...labels };
  return all;
}

/** Whether a patch with this target changes the object. */
export function isTarget({ kind, metadata }: KubeObject, target: Patch["target"]): boolean {
  return kind === target.kind && (target.name === undefined || metadata.name === target.name);
}
