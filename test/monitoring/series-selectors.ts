/** A series selector in an expression: what it reads, and by which labels. */
export interface SeriesSelector {
  /** As it stands there. */
  readonly text: string;
  readonly metric: string;
  readonly matchers: readonly { readonly label: string; readonly value: string }[];
}

const SELECTOR =
  /\b(?<metric>(?:isthmus|process|nodejs|up|ALERTS)[a-zA-Z0-9_]*)(?:\{(?<matchers>[^}]*)\})?/g;
const MATCHER = /(?<label>\w+)\s*(?:=~|!~|!=|=)\s*"(?<value>[^"]*)"/g;
const GROUPING = /\b(?:by|on)\s*\((?<labels>[^)]*)\)/g;

/** The selectors of an expression of ours; texts in quotes are no selectors. */
export function selectorsOf(expr: string): SeriesSelector[] {
  return [...expr.matchAll(SELECTOR)]
    .filter(({ index }) => !isQuoted(expr, index))
    .map(({ 0: text, groups }) => ({
      text,
      metric: groups?.["metric"] ?? "",
      matchers: [...(groups?.["matchers"] ?? "").matchAll(MATCHER)].map((match) => ({
        label: match.groups?.["label"] ?? "",
        value: match.groups?.["value"] ?? "",
      })),
    }));
}

/** The labels that an expression groups or matches series by. */
export function groupingLabelsOf(expr: string): string[] {
  const labels = [...expr.matchAll(GROUPING)].flatMap(({ groups }) =>
    (groups?.["labels"] ?? "").split(","),
  );
  return [...new Set(labels.map((label) => label.trim()))];
}

function isQuoted(expr: string, index: number): boolean {
  return (expr.slice(0, index).split('"').length - 1) % 2 === 1;
}
