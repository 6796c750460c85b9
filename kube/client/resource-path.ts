import type { Resource } from "../../api/resources.ts";

/** Names one object; the namespace is left out for cluster-scoped resources. */
export interface ObjectKey {
  namespace?: string;
  name: string;
}

/**
 * The path of an object, of a collection (no name), or of an object's
 * subresource on the API server.
 *
 * @throws TypeError when the name of a namespaced object comes without its namespace
 */
export function resourcePath(
  resource: Resource,
  key: { namespace?: string; name?: string },
  subresource?: string,
): string {
  const { group, version, plural, namespaced } = resource;
  if (namespaced && key.name !== undefined && key.namespace === undefined) {
    throw new TypeError(`${resource.kind} ${key.name} needs a namespace`);
  }
  const parts = group === "" ? ["api", version] : ["apis", group, version];
  if (namespaced && key.namespace !== undefined) parts.push("namespaces", key.namespace);
  parts.push(plural);
  if (key.name !== undefined) parts.push(key.name);
  if (subresource !== undefined) parts.push(subresource);
  return `/${parts.map((part) => encodeURIComponent(part)).join("/")}`;
}
