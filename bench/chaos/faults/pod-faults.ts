import { INSTALL_NAMESPACE, LEADER_LEASE_NAME } from "../../../api/names.ts";
import type { Deployment, KubeObject } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { poll } from "../../../test/bed/poll.ts";
import { signalProcess } from "../../../test/bed/processes.ts";
import type { PodProcess } from "../../../test/system/kill-pods.ts";
import type { Member } from "../../../test/system/system.ts";
import { type Component, nameOf } from "../pod-book.ts";
import { type BeginFault, type FaultContext, providerOf } from "./fault-context.ts";

const ROLLOUT_TIMEOUT_MS = 90_000;
const REPLICAS = 2;

/** All gateway processes of a provider end by SIGKILL. */
export const gatewayKilled: BeginFault = async (context, fault) => {
  const member = providerOf(context, fault);
  const found = context.pods.lasting(member.name, "gateway");
  return kill(context, member, "gateway", found);
};

/** One gateway process of a provider stands still: its connections stay, and nothing answers. */
export const gatewayPaused: BeginFault = async (context, fault) => {
  const found = context.pods.lasting(providerOf(context, fault).name, "gateway");
  return pause(choose(found, fault.choice));
};

/** One gateway process of the consumer ends by SIGKILL. */
export const egressKilled: BeginFault = async (context, { choice }) => {
  const found = context.pods.lasting(context.consumer.name, "gateway");
  return kill(context, context.consumer, "gateway", [choose(found, choice)]);
};

/** The leading controller ends by SIGKILL. */
export const leaderKilled: BeginFault = async (context) =>
  kill(context, context.consumer, "controller", [await leader(context)]);

/** The leading controller stands still, perhaps for longer than its Lease. */
export const leaderPaused: BeginFault = async (context) => pause(await leader(context));

function choose(processes: readonly PodProcess[], choice: number): PodProcess {
  const chosen = processes[Math.floor(choice * processes.length)];
  if (chosen === undefined) throw new Error("there is no process to act on");
  return chosen;
}

async function leader({ consumer, pods }: FaultContext): Promise<PodProcess> {
  return poll(
    "a controller leads",
    async () => {
      const lease = await consumer.client.get<KubeObject & { spec?: { holderIdentity?: string } }>(
        RESOURCES.leases,
        { namespace: INSTALL_NAMESPACE, name: LEADER_LEASE_NAME },
      );
      const holder = lease.spec?.holderIdentity ?? "";
      const found = pods
        .lasting(consumer.name, "controller")
        .find(({ pod }) => holder.startsWith(pod));
      if (found === undefined) throw new Error(`the Lease is held by "${holder}"`);
      return found;
    },
    { timeoutMs: ROLLOUT_TIMEOUT_MS },
  );
}

/**
 * At the end the containers run again and the pods are then replaced: the kubelet would start their containers later
 * and later, and the fault would last longer the more often it came.
 */
function kill(
  { pods }: FaultContext,
  member: Member,
  component: Component,
  processes: readonly PodProcess[],
) {
  for (const each of processes) signalProcess(each, "SIGKILL");
  const runsAgain = ({ pod, pid }: PodProcess) =>
    pods.lasting(member.name, component).some((now) => now.pod === pod && now.pid !== pid);
  return async () => {
    await poll(`${member.name}: the ${component} runs again`, () => processes.every(runsAgain), {
      timeoutMs: ROLLOUT_TIMEOUT_MS,
    });
    await untilAvailable(member, component);
    for (const { pod } of processes) {
      await member.client.remove(RESOURCES.pods, { namespace: INSTALL_NAMESPACE, name: pod });
    }
    await untilAvailable(member, component);
  };
}

function pause(one: PodProcess) {
  signalProcess(one, "SIGSTOP");
  return async () => {
    signalProcess(one, "SIGCONT");
    await Promise.resolve();
  };
}

async function untilAvailable(member: Member, component: Component): Promise<void> {
  const key = { namespace: INSTALL_NAMESPACE, name: nameOf(component) };
  await poll(
    `${member.name}: ${REPLICAS} pods of the ${component} are available`,
    async () => {
      const { status } = await member.client.get<Deployment>(RESOURCES.deployments, key);
      if (status?.availableReplicas === REPLICAS && status.replicas === REPLICAS) return true;
      throw new Error(JSON.stringify(status));
    },
    { timeoutMs: ROLLOUT_TIMEOUT_MS },
  );
}
