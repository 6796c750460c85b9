import { CONTROLLER_FIELD_MANAGER } from "../../api/names.ts";
import type { FieldSet, KubeObject, ManagedFieldsEntry } from "../../api/objects.ts";

/**
 * Fields that are ours alone on our objects: what someone else adds there
 * sends traffic elsewhere, so that it is taken over and then removed.
 */
const EXCLUSIVE_FIELDS: readonly (readonly string[])[] = [
  ["f:spec", "f:ports"],
  ["f:spec", "f:selector"],
  ["f:spec", "f:sessionAffinityConfig"],
];

/** The labels or annotations of an object that our field manager set. */
export function ownedKeys(object: KubeObject, kind: "labels" | "annotations"): Set<string> {
  const keys = (object.metadata.managedFields ?? [])
    .filter(isOurEntry)
    .flatMap(({ fieldsV1 }) => Object.keys(fieldsV1?.["f:metadata"]?.[`f:${kind}`] ?? {}));
  return new Set(keys.filter((key) => key.startsWith("f:")).map((key) => key.slice(2)));
}

/**
 * managedFields after which a server-side apply removes whatever it does not
 * mention. A created object has its fields under operation Update, from where
 * apply never takes them away: they become one entry with operation Apply
 * (as client-go's csaupgrade does it), together with the exclusive fields that others own.
 */
export function consolidated(entries: readonly ManagedFieldsEntry[]): ManagedFieldsEntry[] {
  const ours = entries.filter(isOurEntry);
  const [first] = ours;
  if (first === undefined) return [...entries];
  let fieldsV1 = ours.reduce<FieldSet>((all, entry) => union(all, entry.fieldsV1 ?? {}), {});
  const others = entries
    .filter((entry) => !isOurEntry(entry))
    .flatMap((entry) => {
      if (isSubresource(entry)) return [entry];
      let left = entry.fieldsV1 ?? {};
      for (const path of EXCLUSIVE_FIELDS) {
        const taken = subtree(left, path);
        if (taken === undefined) continue;
        fieldsV1 = union(fieldsV1, nested(path, taken));
        left = without(left, path);
      }
      return Object.keys(left).length === 0 ? [] : [{ ...entry, fieldsV1: left }];
    });
  return [...others, { ...first, operation: "Apply", fieldsV1 }];
}

function isOurEntry(entry: ManagedFieldsEntry): boolean {
  return entry.manager === CONTROLLER_FIELD_MANAGER && !isSubresource(entry);
}

function isSubresource({ subresource = "" }: ManagedFieldsEntry): boolean {
  return subresource !== "";
}

function union(left: FieldSet, right: FieldSet): FieldSet {
  const all: FieldSet = { ...left };
  for (const [field, below] of Object.entries(right)) all[field] = union(all[field] ?? {}, below);
  return all;
}

function subtree(fields: FieldSet, path: readonly string[]): FieldSet | undefined {
  let below: FieldSet | undefined = fields;
  for (const field of path) below = below?.[field];
  return below;
}

function nested(path: readonly string[], leaf: FieldSet): FieldSet {
  return path.reduceRight<FieldSet>((below, field) => ({ [field]: below }), leaf);
}

/** An emptied parent goes too: an empty set stands for the field itself. */
function without(fields: FieldSet, [field, ...rest]: readonly string[]): FieldSet {
  const below = field === undefined ? undefined : fields[field];
  if (field === undefined || below === undefined) return fields;
  const { [field]: _removed, ...others } = fields;
  if (rest.length === 0) return others;
  const left = without(below, rest);
  return Object.keys(left).length === 0 ? others : { ...others, [field]: left };
}
