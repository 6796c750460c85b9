import { CLI_FIELD_MANAGER, LABELS } from "../../api/names.ts";
import type { KubeObject } from "../../api/objects.ts";
import { JOIN_LABELS } from "../../api/ownership.ts";

/** On everything `link join` makes. */
export const OWNED_LABELS = JOIN_LABELS;

/** Whether `link join` made the object, or someone from its output. */
export function isMadeByLink(object: KubeObject): boolean {
  return object.metadata.labels?.[LABELS.managedBy] === CLI_FIELD_MANAGER;
}
