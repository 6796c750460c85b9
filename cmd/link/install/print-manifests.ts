import { stringify } from "yaml";
import type { KubeObject } from "../../../api/objects.ts";

/** Objects as one stream of YAML documents, for `kubectl apply` or a repository. */
export function toYamlStream(objects: readonly KubeObject[]): string {
  return objects.map((object) => stringify(object, { lineWidth: 100 })).join("---\n");
}
