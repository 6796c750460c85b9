import type { Pod, Service } from "../../api/objects.ts";
import { CONTROLLER_NAME, GATEWAY_NAME, INSTALL_NAMESPACE, LABELS } from "../../api/names.ts";
import { RESOURCES } from "../../api/resources.ts";
import { poll } from "../bed/poll.ts";
import { killDeployment, scaleDeployment } from "./deployments.ts";
import type { Member } from "./system.ts";
import { type Attempt, type Caller, outcomeOf } from "../workload/caller.ts";

const STATE_TIMEOUT_MS = 60_000;
const CONTROLLER_REPLICAS = 2;

/** A measured passage from one state to another, as the caller's pod saw it. */
export interface Passage {
  readonly tookMs: number;
  readonly attempt: Attempt;
}

function isAnswerFrom(cluster: string): (attempt: Attempt) => boolean {
  return ({ status, body }) => status === 200 && body?.trim() === `hello from ${cluster}`;
}

async function passage(
  caller: Caller,
  awaited: string,
  sinceMs: number,
  matches: (attempt: Attempt) => boolean,
): Promise<Passage> {
  const attempt = await caller.first(awaited, matches, { sinceMs, timeoutMs: STATE_TIMEOUT_MS });
  return { attempt, tookMs: attempt.atMs + attempt.tookMs - sinceMs };
}

/** Waits for the first answer from a cluster to an attempt begun at or after `sinceMs`. */
export function untilAnswered(caller: Caller, cluster: string, sinceMs: number): Promise<Passage> {
  return passage(caller, `an answer from ${cluster}`, sinceMs, isAnswerFrom(cluster));
}

/** Waits until this many attempts in a row were answered by a cluster: the state before something is broken. */
export async function untilSteady(caller: Caller, cluster: string, inARow: number): Promise<void> {
  const from = caller.attempts.length;
  const isSteady = () => {
    const recent = caller.attempts.slice(from).slice(-inARow);
    return recent.length === inARow && recent.every(isAnswerFrom(cluster));
  };
  await poll(`${inARow} answers in a row from ${cluster}`, isSteady, {
    timeoutMs: STATE_TIMEOUT_MS,
  });
}

/** Waits for the first attempt begun at or after `sinceMs` that the kernel refused. */
export function untilRefused(caller: Caller, sinceMs: number): Promise<Passage> {
  return passage(caller, "a refused connection", sinceMs, ({ code }) => code === "ECONNREFUSED");
}

/** Waits until the name no longer resolves. */
export function untilUnresolved(caller: Caller, sinceMs: number): Promise<Passage> {
  return passage(caller, "the name to be gone", sinceMs, ({ code }) => code === "ENOTFOUND");
}

/** The attempts of a span that hung or were answered by the wrong cluster: there must be none. */
export function wrongAttempts(caller: Caller, expected: string): string[] {
  return caller.attempts
    .filter(
      (attempt) =>
        attempt.code === "ETIMEDOUT" ||
        (attempt.status !== undefined && !isAnswerFrom(expected)(attempt)),
    )
    .map(outcomeOf);
}

/** Takes a cluster's gateway away for good, as a crash would. @returns when it was killed, in milliseconds since the epoch. */
export async function killGateway(member: Member): Promise<number> {
  return await killDeployment(member, {
    namespace: INSTALL_NAMESPACE,
    name: GATEWAY_NAME,
    labelSelector: `${LABELS.name}=${GATEWAY_NAME}`,
  });
}

/**
 * The address at which other clusters reach a cluster's gateway.
 * @throws Error when its Service has none.
 */
export async function gatewayAddress(member: Member): Promise<string> {
  const key = { namespace: INSTALL_NAMESPACE, name: GATEWAY_NAME };
  const { status } = await member.client.get<Service>(RESOURCES.services, key);
  const address = status?.loadBalancer?.ingress?.[0]?.ip;
  if (address === undefined) throw new Error(`the gateway of ${member.name} has no address`);
  return address;
}

/** Sets the replicas of a cluster's gateway. */
export async function scaleGateway(member: Member, replicas: number): Promise<void> {
  await scaleDeployment(member, INSTALL_NAMESPACE, GATEWAY_NAME, replicas);
}

/** Leaves a cluster without any controller, and waits until none runs. */
export async function stopController(member: Member): Promise<void> {
  await scaleDeployment(member, INSTALL_NAMESPACE, CONTROLLER_NAME, 0);
  const labelSelector = `${LABELS.name}=${CONTROLLER_NAME}`;
  await poll(
    `no controller runs in ${member.name}`,
    async () => {
      const namespace = INSTALL_NAMESPACE;
      const { items } = await member.client.list<Pod>(RESOURCES.pods, { namespace, labelSelector });
      return items.length === 0;
    },
    { timeoutMs: STATE_TIMEOUT_MS },
  );
}

/** Gives a cluster its controllers back, without waiting for them. */
export async function startController(member: Member): Promise<void> {
  await scaleDeployment(member, INSTALL_NAMESPACE, CONTROLLER_NAME, CONTROLLER_REPLICAS);
}

/** Waits until an object is gone. */
export async function untilGone(member: Member, namespace: string, name: string): Promise<void> {
  await poll(
    `Service ${namespace}/${name} to be removed`,
    async () => (await member.client.find(RESOURCES.services, { namespace, name })) === undefined,
    { timeoutMs: STATE_TIMEOUT_MS },
  );
}
