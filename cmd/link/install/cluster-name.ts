import { DNS_LABEL_MAX_LENGTH, isDnsLabel } from "../../../api/names-schema.ts";
import { CliError, EXIT_CODES } from "../cli-error.ts";

/** A context's name as a cluster name: what is no part of a DNS label becomes a hyphen. */
export function toClusterName(contextName: string): string {
  return contextName
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, DNS_LABEL_MAX_LENGTH)
    .replace(/-+$/, "");
}

/**
 * The cluster's name from the flag or the context.
 * @throws CliError (usage) when it is no DNS label.
 */
export function requireClusterName(flag: string | undefined, contextName: string): string {
  const name = flag ?? toClusterName(contextName);
  if (isDnsLabel(name)) return name;
  throw new CliError(
    `"${name}" cannot name a cluster: a name has at most 63 of a-z, 0-9 and '-', with a letter or digit at both ends`,
    { fix: "choose one with --cluster-name", exitCode: EXIT_CODES.usage },
  );
}
