import pRetry from "p-retry";
import { isDnsLabel } from "../../api/names-schema.ts";
import { IDENTITY_CONFIG_MAP_NAME, IDENTITY_KEYS, INSTALL_NAMESPACE } from "../../api/names.ts";
import type { ConfigMap } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import { isApiError, KubeConnectionError } from "../../kube/client/api-error.ts";
import { CliError } from "./cli-error.ts";
import type { ClusterAccess } from "./cluster-access.ts";

/** Who a cluster is to its peers, as its controller publishes it. */
export interface ClusterIdentity {
  readonly clusterName: string;
  readonly gatewayIdentity: string;
  /** PEM of the CAs that vouch for its gateways. */
  readonly trustBundle: string;
  /** The only namespaces that linked clusters may read there; absent: all. */
  readonly namespaces?: readonly string[];
}

/** The first word with a cluster is worth another try: a dropped connection should not end a command. */
const FIRST_CONTACT = { retries: 3, minTimeout: 200, maxTimeout: 1000, randomize: true };

function isPassing(error: Error): boolean {
  if (error instanceof KubeConnectionError) return error.failure === "network";
  return isApiError(error, 429, 500, 503, 504);
}

/** The published identity, or undefined where there is none, or not all of it. */
export async function findIdentity(
  { client }: Pick<ClusterAccess, "client">,
  signal: AbortSignal,
): Promise<ClusterIdentity | undefined> {
  const key = { namespace: INSTALL_NAMESPACE, name: IDENTITY_CONFIG_MAP_NAME };
  const configMap = await pRetry(
    () => client.find<ConfigMap>(RESOURCES.configMaps, key, { signal }),
    { ...FIRST_CONTACT, signal, shouldRetry: ({ error }) => isPassing(error) },
  );
  const data = configMap?.data ?? {};
  const clusterName = data[IDENTITY_KEYS.clusterName] ?? "";
  const gatewayIdentity = data[IDENTITY_KEYS.gatewayIdentity] ?? "";
  const trustBundle = data[IDENTITY_KEYS.trustBundle] ?? "";
  if (!isDnsLabel(clusterName) || gatewayIdentity === "" || trustBundle === "") return undefined;
  const namespaces = data[IDENTITY_KEYS.namespaces];
  return {
    clusterName,
    gatewayIdentity,
    trustBundle,
    ...(namespaces !== undefined && { namespaces: namespaces.split(",") }),
  };
}

/** @throws CliError when Isthmus is not installed there, or its controller has not yet published who it is. */
export async function requireIdentity(
  access: ClusterAccess,
  signal: AbortSignal,
): Promise<ClusterIdentity> {
  const identity = await findIdentity(access, signal);
  if (identity !== undefined) return identity;
  throw new CliError(
    `context ${access.contextName}: ConfigMap ${INSTALL_NAMESPACE}/${IDENTITY_CONFIG_MAP_NAME} is missing or incomplete: Isthmus is not installed there, or its controller has not started`,
    { fix: `link install --context ${access.contextName}` },
  );
}
