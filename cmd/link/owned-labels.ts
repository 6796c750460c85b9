import { CLI_FIELD_MANAGER, LABELS } from "../../api/names.ts";
import type { KubeObject } from "../../api/objects.ts";

/** On everything `link join` makes. Not the value mirrors carry: the controller leaves these alone. */
export const OWNED_LABELS: Readonly<Record<string, string>> = {
  "app.kubernetes.io/part-of": "isthmus",
  [LABELS.managedBy]: CLI_FIELD_MANAGER,
};

/** Whether `link join` made the object, or someone from its output. */
export function isMadeByLink(object: KubeObject): boolean {
  return object.metadata.labels?.[LABELS.managedBy] === CLI_FIELD_MANAGER;
}
