import { parseNamespaceList } from "../../../api/namespace-list.ts";
import { IDENTITY_CONFIG_MAP_NAME, IDENTITY_KEYS, INSTALL_NAMESPACE } from "../../../api/names.ts";
import type { ConfigMap } from "../../../api/objects.ts";
import { REASONS } from "../../../api/reasons.ts";
import type { Problem } from "../health/health-inputs.ts";

/** The namespaces that a provider lets itself be read in; undefined: all, as of one that says nothing of it. */
export function publishedNamespaces(identity: ConfigMap | undefined): string[] | undefined {
  const listed = identity?.data?.[IDENTITY_KEYS.namespaces];
  if (listed === undefined) return undefined;
  try {
    return parseNamespaceList(listed);
  } catch {
    // Not of our making. What it denies is then seen.
    return undefined;
  }
}

const CONFIG_MAP = `ConfigMap ${INSTALL_NAMESPACE}/${IDENTITY_CONFIG_MAP_NAME}`;

/**
 * What is wrong with the cluster behind a kubeconfig, by the name it gives
 * itself; undefined: nothing that can be seen. A name that was never published
 * counts against it only with `mustSayWho`.
 */
export function wrongCluster(
  claimed: string | undefined,
  { expected, mustSayWho }: { expected: string; mustSayWho: boolean },
  server: string,
): Problem | undefined {
  if (claimed === expected || (claimed === undefined && !mustSayWho)) return undefined;
  const found =
    claimed === undefined
      ? `${server} does not say which cluster it is (it has no ${CONFIG_MAP})`
      : `${server} is cluster ${JSON.stringify(claimed.slice(0, 63))} by its ${CONFIG_MAP}`;
  return {
    reason: REASONS.WrongCluster,
    message: `${found}, and the Link is for ${expected}; put the kubeconfig of ${expected} into the Secret, or correct spec.clusterName.`,
  };
}
