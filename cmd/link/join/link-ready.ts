import type { Clock } from "../../../api/clock.ts";
import { CONDITION_TYPES, type Condition } from "../../../api/conditions.ts";
import type { Link } from "../../../api/link.ts";
import { INSTALL_NAMESPACE } from "../../../api/names.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { CliError } from "../cli-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import type { Reporter } from "../reporter.ts";
import { type Sighting, waitUntil } from "../wait-until.ts";

export interface LinkReadyOptions {
  access: ClusterAccess;
  linkName: string;
  timeoutMs: number;
  reporter: Reporter;
  clock: Clock;
  signal: AbortSignal;
}

/**
 * Waits until a Link is Ready, telling each condition as it turns.
 * @throws CliError (not ready) with the condition that holds it up; CliError when the Link is gone.
 */
export async function waitForLink(options: LinkReadyOptions): Promise<Link> {
  const { access, linkName, timeoutMs, reporter, clock, signal } = options;
  const told = new Set<string>();
  const look = async (): Promise<Sighting<Link>> => {
    const key = { namespace: INSTALL_NAMESPACE, name: linkName };
    const link = await access.client.find<Link>(RESOURCES.links, key, { signal });
    if (link === undefined) {
      throw new CliError(`context ${access.contextName}: Link ${linkName} was deleted meanwhile`);
    }
    const conditions = currentConditions(link);
    for (const { type, reason, message } of conditions.filter(isTrue)) {
      if (told.has(type)) continue;
      told.add(type);
      reporter.done(`${type}: ${message === "" ? reason : message}`);
    }
    if (conditions.some((condition) => condition.type === "Ready" && isTrue(condition))) {
      return { found: link };
    }
    return { missing: obstacleOf(conditions) };
  };
  return await waitUntil(`Link ${linkName}`, look, {
    clock,
    signal,
    timeoutMs,
    onMissing: (missing) => reporter.progress(missing),
    fix: `link status ${linkName} --context ${access.contextName}`,
  });
}

/** The conditions that speak of the Link as it is now, in the order in which they are decided. */
export function currentConditions({ metadata, status }: Link): Condition[] {
  const generation = metadata.generation ?? 0;
  return CONDITION_TYPES.flatMap((type) => {
    const condition = status?.conditions?.find((candidate) => candidate.type === type);
    if (condition === undefined) return [];
    return (condition.observedGeneration ?? generation) >= generation ? [condition] : [];
  });
}

function isTrue({ status }: Condition): boolean {
  return status === "True";
}

/** The first condition that is not True: those after it follow from it. */
function obstacleOf(conditions: readonly Condition[]): string {
  const first = conditions.find((condition) => !isTrue(condition));
  if (first === undefined)
    return "the controller has not looked at it yet; does isthmus-controller run?";
  return `${first.type} is ${first.status}: ${first.reason}: ${first.message}`;
}
