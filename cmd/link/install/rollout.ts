import { INSTALL_NAMESPACE, LABELS } from "../../../api/names.ts";
import type { Deployment, Pod } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { KubeClient } from "../../../kube/client/client.ts";
import type { Sighting } from "../wait-until.ts";

interface ContainerState {
  name: string;
  state?: { waiting?: { reason?: string; message?: string } };
  lastState?: { terminated?: { reason?: string; exitCode?: number } };
}

/** As much of a Pod as tells why it is not ready. */
type StatusPod = Omit<Pod, "status"> & {
  status?: {
    phase?: string;
    containerStatuses?: ContainerState[];
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
  };
};

type StatusDeployment = Omit<Deployment, "status"> & {
  status?: NonNullable<Deployment["status"]> & {
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
  };
};

/** Waiting reasons that every pod goes through. */
const ORDINARY = new Set(["ContainerCreating", "PodInitializing"]);

/** Whether a Deployment runs what its spec says, or which object keeps it from that and why. */
export async function lookAtRollout(
  client: KubeClient,
  name: string,
  signal: AbortSignal,
): Promise<Sighting<string>> {
  const key = { namespace: INSTALL_NAMESPACE, name };
  const deployment = await client.find<StatusDeployment>(RESOURCES.deployments, key, { signal });
  if (deployment === undefined) return { missing: `${name}: it is not there` };
  const { wanted, ready, complete } = progressOf(deployment);
  if (complete) return { found: `${ready}/${wanted}` };
  const { items } = await client.list<StatusPod>(RESOURCES.pods, {
    namespace: INSTALL_NAMESPACE,
    labelSelector: `${LABELS.name}=${name}`,
    signal,
  });
  const trouble = deploymentTrouble(deployment) ?? firstDefined(items.map(podTrouble));
  const count = `${name}: ${ready} of ${wanted} pods ready`;
  return { missing: trouble === undefined ? count : `${count}; ${trouble}` };
}

/** As `kubectl rollout status` decides it. */
function progressOf({ metadata, spec, status = {} }: StatusDeployment) {
  const wanted = spec?.replicas ?? 1;
  const ready = status.availableReplicas ?? 0;
  const complete =
    (status.observedGeneration ?? 0) >= (metadata.generation ?? 0) &&
    (status.updatedReplicas ?? 0) >= wanted &&
    (status.replicas ?? 0) <= wanted &&
    ready >= wanted;
  return { wanted, ready, complete };
}

function deploymentTrouble({ status }: StatusDeployment): string | undefined {
  const failure = status?.conditions?.find(
    ({ type, status: value }) => type === "ReplicaFailure" && value === "True",
  );
  return failure === undefined
    ? undefined
    : `no pod can be made: ${failure.message ?? failure.reason ?? ""}`;
}

/** What keeps a pod from being ready, if it is something that a person has to look at. */
export function podTrouble({ metadata, status }: StatusPod): string | undefined {
  const where = `Pod ${metadata.name}`;
  const unschedulable = status?.conditions?.find(
    ({ type, status: value }) => type === "PodScheduled" && value === "False",
  );
  if (unschedulable !== undefined) {
    return `${where} is ${unschedulable.reason ?? "Unschedulable"}: ${unschedulable.message ?? ""}`;
  }
  for (const { name, state, lastState } of status?.containerStatuses ?? []) {
    const { reason, message } = state?.waiting ?? {};
    if (reason === undefined || ORDINARY.has(reason)) continue;
    const ended = lastState?.terminated;
    const before =
      ended === undefined ? "" : ` (it ended with ${ended.reason ?? ""} ${ended.exitCode ?? ""})`;
    return `${where}, container ${name}: ${reason}${before}${message === undefined ? "" : `: ${message}`}`;
  }
  return undefined;
}

function firstDefined<T>(values: readonly (T | undefined)[]): T | undefined {
  return values.find((value) => value !== undefined);
}
