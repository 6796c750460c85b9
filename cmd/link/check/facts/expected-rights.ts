import type { KubeObject } from "../../../../api/objects.ts";
import { RESOURCES } from "../../../../api/resources.ts";

/** One thing that an account has to be allowed to do. */
export interface Right {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  /** Absent: any object. */
  readonly name?: string;
  /** Absent: in every namespace, or of a resource without. */
  readonly namespace?: string;
}

/** The account whose rights are looked at. */
export interface Account {
  readonly namespace: string;
  readonly name: string;
}

interface PolicyRule {
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
  verbs?: string[];
}

type RoleObject = KubeObject & { rules?: PolicyRule[] };

type BindingObject = KubeObject & {
  roleRef?: { kind?: string; name?: string };
  subjects?: { kind?: string; namespace?: string; name?: string }[];
};

/**
 * What the shipped roles give an account through the shipped bindings, one by
 * one: whatever is there instead of them, the account needs as much. Pure.
 */
export function expectedRights(objects: readonly KubeObject[], account: Account): Right[] {
  const bindings = objects.filter(
    (object): object is BindingObject =>
      object.kind === RESOURCES.roleBindings.kind ||
      object.kind === RESOURCES.clusterRoleBindings.kind,
  );
  return bindings
    .filter(({ subjects = [] }) => subjects.some((subject) => isAccount(subject, account)))
    .flatMap((binding) => {
      const { namespace } = binding.metadata;
      const rules = roleOf(objects, binding)?.rules ?? [];
      return rules.flatMap((rule) => rightsOf(rule, namespace));
    });
}

/** A right as `kubectl auth can-i` words it. */
export function describeRight({
  verb,
  group,
  resource,
  subresource,
  name,
  namespace,
}: Right): string {
  const what = `${resource}${group === "" ? "" : `.${group}`}${subresource === undefined ? "" : `/${subresource}`}`;
  const which = name === undefined ? "" : ` ${name}`;
  return `${verb} ${what}${which}${namespace === undefined ? "" : ` in ${namespace}`}`;
}

function isAccount(
  { kind, namespace, name }: NonNullable<BindingObject["subjects"]>[number],
  account: Account,
): boolean {
  if (kind === "Group") return name === `system:serviceaccounts:${account.namespace}`;
  return (
    kind === RESOURCES.serviceAccounts.kind &&
    namespace === account.namespace &&
    name === account.name
  );
}

function roleOf(
  objects: readonly KubeObject[],
  { roleRef, metadata }: BindingObject,
): RoleObject | undefined {
  return objects.find(
    (object): object is RoleObject =>
      object.kind === roleRef?.kind &&
      object.metadata.name === roleRef?.name &&
      (roleRef?.kind === RESOURCES.clusterRoles.kind ||
        object.metadata.namespace === metadata.namespace),
  );
}

function rightsOf(rule: PolicyRule, namespace: string | undefined): Right[] {
  const { apiGroups = [], resources = [], verbs = [], resourceNames } = rule;
  const names: (string | undefined)[] = resourceNames ?? [undefined];
  return apiGroups.flatMap((group) =>
    resources.flatMap((text) => {
      const [resource = "", subresource] = text.split("/");
      return verbs.flatMap((verb) =>
        names.map((name) => ({
          verb,
          group,
          resource,
          ...(subresource !== undefined && { subresource }),
          ...(name !== undefined && { name }),
          ...(namespace !== undefined && { namespace }),
        })),
      );
    }),
  );
}
