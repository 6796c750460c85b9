import { INSTALL_NAMESPACE } from "./names.ts";
import { isDnsLabel } from "./names-schema.ts";

/** Each costs its watches a connection: of a controller four, of a gateway three, of a link two. */
export const MAX_LISTED_NAMESPACES = 50;

/**
 * Reads a list of namespaces, `shop,payments`, into sorted names without repetition.
 * @throws Error that says what is wrong with the list.
 */
export function parseNamespaceList(text: string): string[] {
  const names = [...new Set(text.split(",").map((name) => name.trim()))].toSorted();
  if (names.length === 1 && names[0] === "") {
    throw new Error("names no namespace; leave it out to work in all of them");
  }
  for (const name of names) {
    if (!isDnsLabel(name)) {
      throw new Error(`${JSON.stringify(name)} is no name of a namespace; write shop,payments`);
    }
    if (name === INSTALL_NAMESPACE) {
      throw new Error(`${INSTALL_NAMESPACE} is Isthmus's own and cannot be listed; leave it out`);
    }
  }
  if (names.length > MAX_LISTED_NAMESPACES) {
    throw new Error(
      `names ${names.length} namespaces and may name ${MAX_LISTED_NAMESPACES}; leave the list out to work in all of them`,
    );
  }
  return names;
}

/** The list as {@link parseNamespaceList} reads it. */
export function formatNamespaceList(names: readonly string[]): string {
  return [...new Set(names)].toSorted().join(",");
}

/** The namespaces that are in both lists; a list that is undefined has all. */
export function commonNamespaces(
  left: readonly string[] | undefined,
  right: readonly string[] | undefined,
): readonly string[] | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return left.filter((name) => right.includes(name));
}
