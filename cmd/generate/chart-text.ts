import { stringify } from "yaml";
import type { Entry, Node } from "./chart-tree.ts";

/**
 * A tree as the text of a Helm template: YAML in block style, with `if`, `else if` and `else` around what depends on
 * values. What looks like an action in the values themselves is kept from being one.
 * @throws Error for a map or list all of whose parts depend on values: without them it would be null.
 */
export function templateText(root: Node): string {
  return `${linesOf(root).join("\n")}\n`;
}

/** The lines of a map or a list. */
function linesOf(node: Node): string[] {
  if (node.type !== "map" && node.type !== "list") throw new Error("no map and no list");
  if (node.entries.length > 0 && !node.entries.some(isAlwaysThere)) {
    throw new Error(`would be null without values: ${node.entries.map(({ key }) => key).join()}`);
  }
  return node.entries.flatMap((entry) => entryLines(entry, node.type));
}

function isAlwaysThere({ variants }: Entry): boolean {
  return (
    variants.some(({ when }) => when === undefined) &&
    variants.every(({ node }) => node !== undefined)
  );
}

function entryLines({ key, variants }: Entry, type: "map" | "list"): string[] {
  const parts = variants.map(({ when, node }) => ({
    when,
    lines: node === undefined ? [] : partLines(type, key, node),
  }));
  if (parts[0]?.when === undefined) return parts[0]?.lines ?? [];
  const lines = parts.flatMap(({ when, lines: own }, index) => {
    const word = when === undefined ? "else" : `${index === 0 ? "if" : "else if"} ${when}`;
    return [`{{- ${word} }}`, ...own];
  });
  return [...lines, "{{- end }}"];
}

function partLines(type: "map" | "list", key: string, node: Node): string[] {
  const head = type === "map" ? `${stringify(key).trimEnd()}:` : "-";
  if (node.type === "template") return [`${head} ${node.action}`];
  const plain = plainValue(node);
  if (plain !== undefined) {
    const text = stringify(type === "map" ? { [key]: plain.value } : [plain.value], {
      lineWidth: 0,
      aliasDuplicateObjects: false,
    });
    return text
      .trimEnd()
      .split("\n")
      .map((line) => line.replaceAll("{{", '{{ "{{" }}'));
  }
  const indented = linesOf(node).map((line) => (line === "" ? "" : `  ${line}`));
  if (type === "map" || indented[0]?.startsWith("  {{-") === true) return [head, ...indented];
  return [`- ${indented[0]?.trimStart() ?? ""}`, ...indented.slice(1)];
}

/** The value of a tree in which nothing depends on values. */
function plainValue(node: Node): { value: unknown } | undefined {
  if (node.type === "leaf") return { value: node.value };
  if (node.type === "template") return undefined;
  const children = node.entries.map(({ variants: [only, ...others] }) =>
    only?.when !== undefined || only?.node === undefined || others.length > 0
      ? undefined
      : plainValue(only.node),
  );
  if (children.includes(undefined)) return undefined;
  const values = children.map((child) => child?.value);
  if (node.type === "list") return { value: values };
  return {
    value: Object.fromEntries(node.entries.map(({ key }, index) => [key, values[index]])),
  };
}
