import { TerminalError } from "../../../api/errors.ts";
import { clusterNameOf, type Link, type LinkSpec, parseLinkSpec } from "../../../api/link.ts";
import { REASONS } from "../../../api/reasons.ts";
import type { Problem } from "../health/health-inputs.ts";

/** The Link's spec, or why it cannot be acted on. */
export function readSpec(link: Link): LinkSpec | Problem {
  try {
    return parseLinkSpec(link);
  } catch (error) {
    if (!(error instanceof TerminalError)) throw error;
    return { reason: REASONS.LinkSpecInvalid, message: error.message };
  }
}

/** Why a Link is refused whose provider would be this cluster itself. */
export function ownClusterProblem(
  link: Link,
  spec: LinkSpec,
  ownCluster: string,
): Problem | undefined {
  if (clusterNameOf(link, spec) !== ownCluster) return undefined;
  return {
    reason: REASONS.OwnClusterName,
    message: `${ownCluster} is this cluster's own name; set spec.clusterName to the provider's, or delete the Link.`,
  };
}

/** Why a Link has to leave its cluster to another one, if it has to. */
export function rivalryOf(link: Link, all: readonly Link[]): Problem | undefined {
  const rival = rivalOf(link, all);
  return (
    rival && {
      reason: REASONS.DuplicateClusterName,
      message: `Link ${rival.metadata.name} is older and has the same cluster; delete one of the two, or give this one another spec.clusterName.`,
    }
  );
}

/**
 * The Link that has the cluster of `link` when it is another one: of two Links
 * with one cluster name the older wins, then the one whose name sorts first.
 * Links being deleted hold their cluster until they are gone; Links whose spec
 * cannot be read hold none.
 */
export function rivalOf(link: Link, all: readonly Link[]): Link | undefined {
  const cluster = clusterOf(link);
  if (cluster === undefined) return undefined;
  return all
    .filter((other) => other.metadata.name !== link.metadata.name && clusterOf(other) === cluster)
    .toSorted(byAge)
    .find((other) => byAge(other, link) < 0);
}

function byAge(left: Link, right: Link): number {
  const ages = compare(
    left.metadata.creationTimestamp ?? "",
    right.metadata.creationTimestamp ?? "",
  );
  return ages === 0 ? compare(left.metadata.name, right.metadata.name) : ages;
}

function compare(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

function clusterOf(link: Link): string | undefined {
  const spec = readSpec(link);
  return "reason" in spec ? undefined : clusterNameOf(link, spec);
}
