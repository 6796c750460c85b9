import type { Clock } from "../../../api/clock.ts";
import { preChecks } from "../check/check.ts";
import { CliError } from "../cli-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import type { Reporter } from "../reporter.ts";

/**
 * Looks whether a cluster can take an installation, before anything is made:
 * the checks of `link check --pre`.
 * @throws CliError with what the first check that failed found, and its fix.
 */
export async function requirePreflight(looking: {
  access: ClusterAccess;
  reporter: Reporter;
  clock: Clock;
  signal: AbortSignal;
}): Promise<void> {
  const { access, reporter } = looking;
  const { checks } = await preChecks(looking);
  const failed = checks.filter(({ result }) => result === "fail");
  for (const { id, message, fix } of checks.filter(({ result }) => result === "warn")) {
    reporter.warn(`${id}: ${message}${fix === undefined ? "" : `; ${fix}`}`);
  }
  const [first, ...others] = failed;
  if (first === undefined) {
    const passed = checks.filter(({ result }) => result === "ok");
    const skipped = checks.filter(({ result }) => result === "skip");
    const notLookedAt = skipped.map(({ id, message }) => `; ${id} was skipped: ${message}`);
    reporter.done(`${passed.length} checks before the installation passed${notLookedAt.join("")}`);
    return;
  }
  for (const { id, message } of others) reporter.warn(`${id}: ${message}`);
  throw new CliError(
    `context ${access.contextName}: nothing was installed: ${first.id}: ${first.message}`,
    {
      fix: `${first.fix ?? `see ${first.docs}`}; all checks: link check --pre --context ${access.contextName}; to install all the same, add --no-preflight`,
    },
  );
}
