import { INSTALL_NAMESPACE } from "../../../api/names.ts";
import { type Resource, RESOURCES } from "../../../api/resources.ts";
import { contextNames } from "../../../kube/kubeconfig/kubeconfig.ts";
import { openCluster } from "../cluster-access.ts";
import { listAll } from "../list-all.ts";

/** A name that only the kubeconfig or the cluster knows. */
export type NameKind = "context" | "link" | "peer" | "namespace" | "service";

/** What was given on the command line before. */
export interface NameScope {
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly namespace: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** Nobody waits longer for a completion. */
const TIMEOUT_MS = 3000;

const IN_SYSTEM: Readonly<Record<"link" | "peer", Resource>> = {
  link: RESOURCES.links,
  peer: RESOURCES.peers,
};

/** The names there are, sorted; none where they cannot be read, or not in time. */
export async function namesOf(kind: NameKind, scope: NameScope): Promise<string[]> {
  const { kubeconfig, env } = scope;
  if (kind === "context") {
    return [...contextNames({ ...(kubeconfig !== undefined && { path: kubeconfig }), env })];
  }
  try {
    return await readNames(kind, scope);
  } catch {
    // A completion that fails completes nothing: an error would garble the line being typed.
    return [];
  }
}

async function readNames(kind: Exclude<NameKind, "context">, scope: NameScope): Promise<string[]> {
  const access = openCluster(scope);
  const signal = AbortSignal.any([scope.signal, AbortSignal.timeout(TIMEOUT_MS)]);
  try {
    const objects =
      kind === "namespace"
        ? await listAll(access, RESOURCES.namespaces, { signal })
        : kind === "service"
          ? await listAll(access, RESOURCES.services, {
              namespace: scope.namespace ?? access.namespace,
              signal,
            })
          : await listAll(access, IN_SYSTEM[kind], { namespace: INSTALL_NAMESPACE, signal });
    return objects.map(({ metadata }) => metadata.name).toSorted();
  } finally {
    await access.client.close();
  }
}
