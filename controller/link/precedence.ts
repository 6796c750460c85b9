import { clusterNameOf, type Link, parseLinkSpec } from "../../api/link.ts";
import { TerminalError } from "../../api/errors.ts";

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
  try {
    return clusterNameOf(link, parseLinkSpec(link));
  } catch (error) {
    if (error instanceof TerminalError) return undefined;
    throw error;
  }
}
