import type { Clock } from "../../../api/clock.ts";
import { INSTALL_NAMESPACE } from "../../../api/names.ts";
import type { KubeObject } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { isApiError } from "../../../kube/client/api-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { findIdentity } from "../identity.ts";
import type { Reporter } from "../reporter.ts";
import { type Sighting, waitUntil } from "../wait-until.ts";
import { DEPLOYMENT_NAMES } from "./manifests.ts";
import { lookAtRollout } from "./rollout.ts";

/** Whom to wait for, how long, and whom to tell. */
export interface InstallationWait {
  access: ClusterAccess;
  timeoutMs: number;
  reporter: Reporter;
  clock: Clock;
  signal: AbortSignal;
}

/**
 * Waits until Links and Peers are served. Established comes a moment before
 * the API server can store objects: only a list that works says so.
 * @throws CliError (not ready) with what the definition's conditions say.
 */
export async function waitForDefinitions(options: InstallationWait): Promise<void> {
  const { access, reporter, clock, signal, timeoutMs } = options;
  for (const resource of [RESOURCES.links, RESOURCES.peers]) {
    const definition = `${resource.plural}.${resource.group}`;
    const look = async (): Promise<Sighting<true>> => {
      try {
        await access.client.list(resource, { namespace: INSTALL_NAMESPACE, limit: 1, signal });
        return { found: true };
      } catch (error) {
        if (!isApiError(error, 404, 429, 503)) throw error;
        return { missing: await definitionTrouble(access, definition, signal) };
      }
    };
    await waitUntil(`CustomResourceDefinition ${definition}`, look, {
      clock,
      signal,
      timeoutMs,
      onMissing: (missing) => reporter.progress(`${definition}: ${missing}`),
    });
  }
}

interface StatusDefinition extends KubeObject {
  status?: { conditions?: { type: string; status: string; message?: string }[] };
}

async function definitionTrouble(
  { client }: ClusterAccess,
  name: string,
  signal: AbortSignal,
): Promise<string> {
  const resource = RESOURCES.customResourceDefinitions;
  const found = await client.find<StatusDefinition>(resource, { name }, { signal });
  const trouble = found?.status?.conditions?.find(({ status }) => status === "False");
  return trouble === undefined
    ? "not served yet"
    : `${trouble.type} is False: ${trouble.message ?? ""}`;
}

/**
 * Waits until both Deployments run what their specs say and the controller has
 * published who the cluster is.
 * @throws CliError (not ready) naming the pod that is not ready, and why.
 */
export async function waitForWorkloads(
  options: InstallationWait,
  clusterName: string,
): Promise<void> {
  const { access, reporter, clock, signal } = options;
  const deadlineMs = clock.nowMs() + options.timeoutMs;
  const wait = {
    clock,
    signal,
    onMissing: (missing: string) => reporter.progress(missing),
    fix: `kubectl --context ${access.contextName} -n ${INSTALL_NAMESPACE} describe pods; then give the command again, it carries on`,
  };
  const leftMs = () => Math.max(0, deadlineMs - clock.nowMs());
  for (const name of DEPLOYMENT_NAMES) {
    const look = () => lookAtRollout(access.client, name, signal);
    const ready = await waitUntil(`Deployment ${name}`, look, { ...wait, timeoutMs: leftMs() });
    reporter.done(`${name}: ${ready} pods ready`);
    // The gateway starts only once the controller has issued its certificate.
    if (name === DEPLOYMENT_NAMES[0]) await waitForIdentity({ ...wait, timeoutMs: leftMs() });
  }

  async function waitForIdentity(patience: Parameters<typeof waitUntil>[2]): Promise<void> {
    const look = async (): Promise<Sighting<true>> => {
      const identity = await findIdentity(access, signal);
      if (identity === undefined)
        return { missing: "the controller has not published who this cluster is" };
      return identity.clusterName === clusterName
        ? { found: true }
        : { missing: `the published name is ${identity.clusterName}, not ${clusterName}` };
    };
    await waitUntil(`identity of cluster ${clusterName}`, look, patience);
    reporter.done(`certificate authority of cluster ${clusterName} is in place`);
  }
}
