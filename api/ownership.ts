import {
  ANNOTATIONS,
  CLI_FIELD_MANAGER,
  CONTROLLER_FIELD_MANAGER,
  LABELS,
  MANAGED_BY,
} from "./names.ts";
import type { KubeObject } from "./objects.ts";

/**
 * Whether an object is ours: by its labels and by our field manager, both.
 * Labels alone can be copied by anyone; managedFields are kept by the API server.
 */
export function isOurs(object: KubeObject): boolean {
  const labels = object.metadata.labels ?? {};
  return (
    labels[LABELS.managedBy] === MANAGED_BY &&
    (labels[LABELS.link] ?? "") !== "" &&
    (object.metadata.managedFields ?? []).some(
      ({ manager }) => manager === CONTROLLER_FIELD_MANAGER,
    )
  );
}

/** On everything that a join makes. Not the value mirrors carry: the controller leaves these alone. */
export const JOIN_LABELS: Readonly<Record<string, string>> = {
  "app.kubernetes.io/part-of": "isthmus",
  [LABELS.managedBy]: CLI_FIELD_MANAGER,
};

/** Where a mirror comes from. */
export interface Source {
  readonly cluster: string;
  readonly namespace: string;
  readonly name: string;
}

/** `cluster/namespace/name`, as the source annotation carries it. */
export function formatSource({ cluster, namespace, name }: Source): string {
  return `${cluster}/${namespace}/${name}`;
}

/** The source of a mirror, or undefined where the annotation is missing or not of our form. */
export function sourceOf(object: KubeObject): Source | undefined {
  const parts = (object.metadata.annotations?.[ANNOTATIONS.source] ?? "").split("/");
  const [cluster = "", namespace = "", name = ""] = parts;
  if (parts.length !== 3 || cluster === "" || namespace === "" || name === "") return undefined;
  return { cluster, namespace, name };
}

/** Name of the EndpointSlice by which a Service fails over, of one IP family: with a dot, which no Service's name has. */
export function failoverSliceName(service: string, family: "IPv4" | "IPv6"): string {
  return `${service}.failover-${family.toLowerCase()}`;
}

/** `namespace/name` of the Service that an EndpointSlice of ours is the failover of; undefined for every other object. */
export function failingOverBy({ metadata }: KubeObject): string | undefined {
  const service = metadata.labels?.[LABELS.failoverFor] ?? "";
  const isNamedSo = (["IPv4", "IPv6"] as const).some(
    (family) => metadata.name === failoverSliceName(service, family),
  );
  return isNamedSo ? `${metadata.namespace ?? ""}/${service}` : undefined;
}
