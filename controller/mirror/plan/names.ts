import { isDnsLabel, isServiceName } from "../../../api/names-schema.ts";
import { keyOf, type Service, splitKey } from "../../../api/objects.ts";
import type { LinkView } from "../../link/link-view.ts";

/** The name that the link's template gives to the mirror of `service`; it may be invalid. */
export function mirrorNameOf(view: LinkView, service: string): string {
  const [before, after] = aroundService(view);
  return `${before}${service}${after}`;
}

/** The source Service whose mirror would have the name `mirror`; undefined when none could. */
export function sourceNameOf(view: LinkView, mirror: string): string | undefined {
  const [before, after] = aroundService(view);
  const fits =
    mirror.length > before.length + after.length &&
    mirror.startsWith(before) &&
    mirror.endsWith(after);
  return fits ? mirror.slice(before.length, mirror.length - after.length) : undefined;
}

/** Whether a Service of that key may be made. */
export function isServiceKey(key: string): boolean {
  const { namespace, name } = splitKey(key);
  return namespace !== undefined && isDnsLabel(namespace) && isServiceName(name);
}

/** A source that wants a mirror of a given name. */
export interface Claim {
  readonly link: string;
  /** `namespace/name` at the provider. */
  readonly sourceKey: string;
  /** When the source was created. */
  readonly createdAt: string;
}

/**
 * Every source of every link that wants the mirror `mirrorKey`; a template is
 * injective, so that a link has one at most.
 *
 * @param isEligible whether a source is exported to us and selected, whatever its name
 */
export function claimsOn(
  mirrorKey: string,
  views: readonly LinkView[],
  isEligible: (view: LinkView, source: Service) => boolean,
): Claim[] {
  const { namespace = "", name } = splitKey(mirrorKey);
  return views.flatMap((view) => {
    const sourceName = sourceNameOf(view, name);
    const source =
      sourceName === undefined
        ? undefined
        : view.remote?.services.get(`${namespace}/${sourceName}`);
    if (source === undefined || !isEligible(view, source)) return [];
    const createdAt = source.metadata.creationTimestamp ?? "";
    return [{ link: view.name, sourceKey: keyOf(source), createdAt }];
  });
}

/**
 * The claim that gets the name: that of the mirror which exists already, else
 * that of the oldest source, then of the link that sorts first.
 */
export function winnerOf(claims: readonly Claim[], holder: Claim | undefined): Claim | undefined {
  const held =
    holder &&
    claims.find((claim) => claim.link === holder.link && claim.sourceKey === holder.sourceKey);
  return held ?? claims.toSorted(byAge)[0];
}

function byAge(left: Claim, right: Claim): number {
  return compare(left.createdAt, right.createdAt) || compare(left.link, right.link);
}

/**
 * Whether another link has the same cluster and comes first: the older one,
 * then the one whose name sorts first. Only that one has mirrors.
 */
export function isShadowed(view: LinkView, views: readonly LinkView[]): boolean {
  return views.some(
    (other) =>
      other.name !== view.name &&
      other.clusterName === view.clusterName &&
      (compare(other.metadata.creationTimestamp ?? "", view.metadata.creationTimestamp ?? "") ||
        compare(other.name, view.name)) < 0,
  );
}

function compare(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

function aroundService({ spec, clusterName }: LinkView): [before: string, after: string] {
  const [before = "", after = ""] = spec.mirror.nameTemplate.split("{service}");
  return [before.replace("{cluster}", clusterName), after.replace("{cluster}", clusterName)];
}
