import type { KubeObject } from "../../api/objects.ts";

/** RFC 1123: the longest name of an object, and of its namespace. */
const MAX_NAME_CHARS = 253;
const MAX_NAMESPACE_CHARS = 63;
/** Versions are numbers of at most 20 digits (KEP-5504); other servers may have longer ones. */
const MAX_VERSION_CHARS = 128;

/** Whether a value has the names and the version that caches are built on, and metadata of the right types. */
export function isKubeObject(value: unknown): value is KubeObject {
  if (!isRecord(value) || !isRecord(value["metadata"])) return false;
  const { name, namespace, resourceVersion, labels, annotations } = value["metadata"];
  return (
    isText(name, MAX_NAME_CHARS) &&
    (namespace === undefined || isText(namespace, MAX_NAMESPACE_CHARS)) &&
    isVersion(resourceVersion) &&
    isTextMap(labels) &&
    isTextMap(annotations)
  );
}

/** Whether a value is a version to watch from: an empty one and 0 stand for any version at all. */
export function isVersion(value: unknown): value is string {
  return isText(value, MAX_VERSION_CHARS) && value !== "0";
}

/** Whether a value is a JSON object: neither null nor an array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown, maxChars: number): value is string {
  return typeof value === "string" && value !== "" && value.length <= maxChars;
}

function isTextMap(value: unknown): boolean {
  return (
    value === undefined ||
    (isRecord(value) && Object.values(value).every((text) => typeof text === "string"))
  );
}
