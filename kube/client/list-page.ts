import type { KubeObject } from "../../api/objects.ts";
import { apiVersionOf, type Resource } from "../../api/resources.ts";
import type { ListPage } from "./kube-client.ts";
import { isKubeObject, isRecord, isVersion } from "./object-shape.ts";

/** A continue token goes back in a URL. */
const MAX_CONTINUE_CHARS = 8 * 1024;

/**
 * A page of a list, or undefined when the answer is none: of another kind,
 * without a version, or with items that caches cannot be built on.
 */
export function readPage<T extends KubeObject>(
  body: unknown,
  resource: Resource,
): Omit<ListPage<T>, "bytes"> | undefined {
  if (!isRecord(body) || body["kind"] !== `${resource.kind}List`) return undefined;
  const { metadata, items } = body;
  if (!isRecord(metadata) || !Array.isArray(items)) return undefined;
  const { resourceVersion, continue: next = "" } = metadata;
  if (!isVersion(resourceVersion)) return undefined;
  if (typeof next !== "string" || next.length > MAX_CONTINUE_CHARS) return undefined;
  const found: unknown[] = items;
  if (!found.every(isKubeObject)) return undefined;
  // Items of a list carry neither apiVersion nor kind.
  const head = { apiVersion: apiVersionOf(resource), kind: resource.kind };
  return {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- callers name the type of what they asked for
    items: found.map((item) => ({ ...head, ...item }) as T),
    resourceVersion,
    ...(next !== "" && { continueToken: next }),
  };
}
