import type { Deployment } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import { killPods } from "./kill-pods.ts";
import type { Member } from "./system.ts";

/** A Deployment, and what selects its pods. */
export interface DeploymentRef {
  readonly namespace: string;
  readonly name: string;
  readonly labelSelector: string;
}

/**
 * Takes the pods of a Deployment away for good, as a crash would: their processes are killed, and before the kubelet
 * starts them anew the Deployment is left without replicas. In this order no pod is told to end while it serves.
 * @returns when they were killed, in milliseconds since the epoch.
 */
export async function killDeployment(member: Member, deployment: DeploymentRef): Promise<number> {
  const { namespace, name, labelSelector } = deployment;
  const killedAtMs = await killPods(member, namespace, labelSelector);
  await scaleDeployment(member, namespace, name, 0);
  return killedAtMs;
}

/** Sets the replicas of a Deployment. */
export async function scaleDeployment(
  member: Member,
  namespace: string,
  name: string,
  replicas: number,
): Promise<void> {
  await member.client.patch<Deployment>(
    RESOURCES.deployments,
    { namespace, name },
    { spec: { replicas } },
    { type: "merge" },
  );
}
