import type { LabelSelector } from "../../../api/link.ts";

/**
 * Whether labels satisfy a selector, as `metav1.LabelSelector` defines it; no
 * selector selects everything. An operator without the values it needs selects nothing.
 */
export function matchesSelector(
  selector: LabelSelector | undefined,
  labels: Readonly<Record<string, string>>,
): boolean {
  if (selector === undefined) return true;
  return (
    Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value) &&
    (selector.matchExpressions ?? []).every((requirement) => meets(requirement, labels))
  );
}

type Requirement = NonNullable<LabelSelector["matchExpressions"]>[number];

function meets(
  { key, operator, values = [] }: Requirement,
  labels: Readonly<Record<string, string>>,
): boolean {
  const value = labels[key];
  if (operator === "Exists") return value !== undefined;
  if (operator === "DoesNotExist") return value === undefined;
  if (values.length === 0) return false;
  const isListed = value !== undefined && values.includes(value);
  return operator === "In" ? isListed : !isListed;
}
