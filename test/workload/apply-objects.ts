import { apiVersionOf, resourceOf } from "../../api/resources.ts";
import type { KubeObject } from "../../api/objects.ts";
import type { KubeClient } from "../../kube/client/client.ts";

/**
 * Applies a workload's objects, as a user of the cluster would.
 * @throws Error for a kind that Isthmus does not know.
 */
export async function applyObjects(
  client: KubeClient,
  objects: readonly KubeObject[],
): Promise<void> {
  for (const object of objects) {
    const resource = resourceOf(object.apiVersion ?? "", object.kind ?? "");
    if (resource === undefined)
      throw new Error(`${object.apiVersion ?? ""} ${object.kind ?? ""} is not known here`);
    await client.apply(
      resource,
      { ...object, apiVersion: apiVersionOf(resource) },
      { fieldManager: "user" },
    );
  }
}
