import { readdirSync, readFileSync } from "node:fs";
import type { Pod } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import { signalProcess, startTimeOf } from "../bed/processes.ts";
import type { Member } from "./system.ts";

const PAUSE = "pause";

/** A process of a pod. The start time tells it from a later process with the same id. */
export interface PodProcess {
  readonly pod: string;
  readonly pid: number;
  readonly startTime: string;
}

/**
 * The processes of pods, found by the pod's uid in their control group, but for the pause process, which only holds
 * the pod's network.
 */
export function processesOfPods(pods: readonly Pod[]): PodProcess[] {
  const known = pods.flatMap(({ metadata: { name, uid } }) =>
    uid === undefined ? [] : [{ name, uid }],
  );
  return processIds().flatMap((pid) => {
    const startTime = startTimeOf(pid);
    const pod = startTime === undefined ? undefined : podOf(pid, known);
    return pod === undefined || startTime === undefined ? [] : [{ pod, pid, startTime }];
  });
}

/**
 * Ends every process of the pods with SIGKILL, as a crash of the machine's kernel would: no grace, no drain.
 * @returns when the signals were sent, in milliseconds since the epoch.
 * @throws Error when no process was found.
 */
export async function killPods(
  member: Member,
  namespace: string,
  labelSelector: string,
): Promise<number> {
  const { items } = await member.client.list<Pod>(RESOURCES.pods, { namespace, labelSelector });
  const found = processesOfPods(items);
  if (found.length === 0) throw new Error(`no process of ${namespace}, ${labelSelector} was found`);
  const killedAtMs = Date.now();
  for (const each of found) signalProcess(each, "SIGKILL");
  return killedAtMs;
}

function processIds(): number[] {
  return readdirSync("/proc").map(Number).filter(Number.isInteger);
}

function podOf(pid: number, pods: readonly { name: string; uid: string }[]): string | undefined {
  const groups = readProc(pid, "cgroup");
  // The systemd driver writes a uid with underscores.
  const found = pods.find(
    ({ uid }) => groups.includes(uid) || groups.includes(uid.replaceAll("-", "_")),
  );
  return found !== undefined && readProc(pid, "comm").trim() !== PAUSE ? found.name : undefined;
}

/** A file of a process, empty when the process has ended meanwhile. */
function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}
