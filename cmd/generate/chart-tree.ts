import type { Operation } from "../link/install/json-patch.ts";
import { pointerKeys } from "../link/install/json-patch.ts";
import { isRecord } from "../../kube/client/object-shape.ts";

/** An object of the manifests with all that components make of it. */
export type Node = MapNode | ListNode | Leaf | Template;
interface MapNode {
  readonly type: "map";
  readonly entries: Entry[];
}
interface ListNode {
  readonly type: "list";
  readonly entries: Entry[];
}
interface Leaf {
  readonly type: "leaf";
  readonly value: unknown;
}
interface Template {
  readonly type: "template";
  readonly action: string;
}

/** A field or an item; the first variant whose condition holds is the one that counts. */
export interface Entry {
  /** Empty for an item of a list. */
  readonly key: string;
  readonly variants: Variant[];
}
export interface Variant {
  /** The Helm expression under which it counts; undefined: always. */
  readonly when: string | undefined;
  /** Undefined: there is no such field then. */
  readonly node: Node | undefined;
}

/** A plain value as a tree without conditions. */
export function treeOf(value: unknown): Node {
  const always = (key: string, child: unknown): Entry => ({
    key,
    variants: [{ when: undefined, node: treeOf(child) }],
  });
  if (Array.isArray(value)) {
    return { type: "list", entries: value.map((item: unknown) => always("", item)) };
  }
  if (isRecord(value)) {
    return {
      type: "map",
      entries: Object.entries(value).map(([key, child]) => always(key, child)),
    };
  }
  return { type: "leaf", value };
}

/** A value that a Helm action gives. */
export function template(action: string): Node {
  return { type: "template", action };
}

/**
 * Puts an operation of a JSON patch into a tree, to count while a condition holds. What is put in later counts first.
 * @throws Error naming the path when there is no such field.
 */
export function addOperation(root: Node, when: string, operation: Operation): void {
  const keys = pointerKeys(operation.path);
  const last = keys.pop() ?? "";
  const parents = keys.reduce(
    (nodes, key) => nodes.flatMap((node) => childrenOf(node, key)),
    [root],
  );
  const node = operation.op === "remove" ? undefined : treeOf(operation.value);
  const places = parents.filter((parent) => place(parent, last, operation.op, { when, node }));
  if (places.length === 0) throw new Error(`${operation.path}: there is no such field`);
}

/** Replaces the value at a path, in each of its variants, by what a function makes of it. */
export function replaceValues(
  root: Node,
  keys: readonly string[],
  make: (node: Node) => Node,
): void {
  const last = keys.at(-1) ?? "";
  const parents = keys
    .slice(0, -1)
    .reduce((nodes, key) => nodes.flatMap((node) => childrenOf(node, key)), [root]);
  for (const parent of parents) {
    const variants = entryOf(parent, last)?.variants ?? [];
    for (const [index, { when, node }] of variants.entries()) {
      variants[index] = { when, node: node === undefined ? undefined : make(node) };
    }
  }
}

function place(parent: Node, key: string, op: Operation["op"], variant: Variant): boolean {
  if (parent.type !== "map" && parent.type !== "list") return false;
  const present = entryOf(parent, key);
  if (present !== undefined && !(op === "add" && parent.type === "list")) {
    present.variants.unshift(variant);
    return true;
  }
  if (op !== "add") return false;
  const entry = { key: parent.type === "map" ? key : "", variants: [variant] };
  if (parent.type === "map" || key === "-") parent.entries.push(entry);
  else parent.entries.splice(Number(key), 0, entry);
  return true;
}

function childrenOf(node: Node, key: string): Node[] {
  return entryOf(node, key)?.variants.flatMap((variant) => variant.node ?? []) ?? [];
}

function entryOf(node: Node, key: string): Entry | undefined {
  if (node.type === "map") return node.entries.find((entry) => entry.key === key);
  return node.type === "list" ? node.entries[Number(key)] : undefined;
}
