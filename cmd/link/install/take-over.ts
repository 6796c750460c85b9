import { CLI_FIELD_MANAGER } from "../../../api/names.ts";
import type { FieldSet, KubeObject, ManagedFieldsEntry } from "../../../api/objects.ts";

/** As kubectl names itself for `apply`, and for `apply --server-side`. */
const KUBECTL_APPLY: readonly { manager: string; operation: string }[] = [
  { manager: "kubectl-client-side-apply", operation: "Update" },
  { manager: "kubectl", operation: "Apply" },
];

/** What `kubectl apply` compares with; it is left, so that it can be used again. */
const LAST_APPLIED = "f:kubectl.kubernetes.io/last-applied-configuration";

/**
 * The owners of an object's fields with ours in the place of kubectl's: so
 * that the next apply of ours also removes what our manifests had and have no
 * more. Undefined where kubectl applied nothing.
 * Works like the upgrade of kubectl itself (KEP-555, client-go's csaupgrade).
 */
export function takeOverFields({ metadata }: KubeObject): ManagedFieldsEntry[] | undefined {
  const entries = metadata.managedFields ?? [];
  const kubectls = entries.filter(isOfKubectl);
  if (kubectls.length === 0) return undefined;
  const own = entries.find(isOurs);
  const apiVersion = own?.apiVersion ?? kubectls[0]?.apiVersion;
  const fields = [...(own === undefined ? [] : [own]), ...kubectls]
    // Fields of another version of the API have other paths.
    .filter((entry) => entry.apiVersion === apiVersion)
    .map(({ fieldsV1 = {} }) => fieldsV1);
  const others = entries.filter((entry) => entry !== own && !kubectls.includes(entry));
  const merged: ManagedFieldsEntry = {
    manager: CLI_FIELD_MANAGER,
    operation: "Apply",
    ...(apiVersion !== undefined && { apiVersion }),
    time: new Date(Math.max(...entries.map(timeOf))).toISOString().replace(/\.\d+Z$/, "Z"),
    fieldsType: "FieldsV1",
    fieldsV1: withoutLastApplied(union(fields)),
  };
  return [...others, merged];
}

function isOfKubectl({ manager, operation, subresource = "" }: ManagedFieldsEntry): boolean {
  return (
    subresource === "" &&
    KUBECTL_APPLY.some((known) => known.manager === manager && known.operation === operation)
  );
}

function isOurs({ manager, operation, subresource = "" }: ManagedFieldsEntry): boolean {
  return subresource === "" && manager === CLI_FIELD_MANAGER && operation === "Apply";
}

function timeOf({ time = "" }: ManagedFieldsEntry): number {
  return Date.parse(time) || 0;
}

function union(sets: readonly FieldSet[]): FieldSet {
  const keys = new Set(sets.flatMap((set) => Object.keys(set)));
  const entries = [...keys].map((key) => {
    const below = sets.flatMap((set) => set[key] ?? []);
    return [key, union(below)] as const;
  });
  return Object.fromEntries(entries);
}

function withoutLastApplied(fields: FieldSet): FieldSet {
  const { "f:annotations": annotations, ...metadata } = fields["f:metadata"] ?? {};
  if (annotations === undefined) return fields;
  const { [LAST_APPLIED]: _kept, ...rest } = annotations;
  return { ...fields, "f:metadata": { ...metadata, "f:annotations": rest } };
}
