import { z } from "zod";
import { isRecord } from "../../../kube/client/object-shape.ts";

/** An operation of a JSON patch (RFC 6902), as far as the manifests use them. */
export const operationSchema = z.discriminatedUnion("op", [
  z.strictObject({ op: z.literal("add"), path: z.string(), value: z.json() }),
  z.strictObject({ op: z.literal("replace"), path: z.string(), value: z.json() }),
  z.strictObject({ op: z.literal("remove"), path: z.string() }),
]);
export type Operation = z.infer<typeof operationSchema>;

/** The keys of a JSON pointer (RFC 6901). */
export function pointerKeys(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/**
 * Changes a value in place by a JSON patch.
 * @throws Error with the operation and its path when what it is about is not there.
 */
export function applyPatch(target: unknown, operations: readonly Operation[]): void {
  for (const operation of operations) applyOne(target, operation);
}

function applyOne(target: unknown, operation: Operation): void {
  const keys = pointerKeys(operation.path);
  const last = keys.pop() ?? "";
  const parent = keys.reduce(childOf, target);
  if (Array.isArray(parent)) applyToList(parent, last, operation);
  else if (isRecord(parent)) applyToMap(parent, last, operation);
  else throw missing(operation);
}

function applyToList(list: unknown[], key: string, operation: Operation): void {
  const index = key === "-" ? list.length : Number(key);
  const limit = operation.op === "add" ? list.length : list.length - 1;
  if (!Number.isInteger(index) || index < 0 || index > limit) throw missing(operation);
  if (operation.op === "remove") list.splice(index, 1);
  else list.splice(index, operation.op === "add" ? 0 : 1, structuredClone(operation.value));
}

function applyToMap(map: Record<string, unknown>, key: string, operation: Operation): void {
  if (operation.op !== "add" && !Object.hasOwn(map, key)) throw missing(operation);
  if (operation.op === "remove") delete map[key];
  else map[key] = structuredClone(operation.value);
}

function missing({ op, path }: Operation): Error {
  return new Error(`${op} ${path}: there is no such field`);
}

function childOf(value: unknown, key: string): unknown {
  if (Array.isArray(value)) return value[Number(key)];
  return isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}
