import { readdirSync, readFileSync } from "node:fs";
import type { Pod } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import type { Member } from "./system.ts";

const PAUSE = "pause";

/**
 * Ends every process of the pods with SIGKILL, as a crash of the machine's kernel would: no grace, no drain. The
 * processes are found by the pod's uid in their control group; the pause process, which holds the pod's network, lives on.
 * @returns when the signals were sent, in milliseconds since the epoch.
 * @throws Error when no process was found.
 */
export async function killPods(
  member: Member,
  namespace: string,
  labelSelector: string,
): Promise<number> {
  const { items } = await member.client.list<Pod>(RESOURCES.pods, { namespace, labelSelector });
  const uids = items.flatMap(({ metadata }) => (metadata.uid === undefined ? [] : [metadata.uid]));
  const pids = processIds().filter((pid) => belongsTo(pid, uids));
  if (pids.length === 0) throw new Error(`no process of ${namespace}, ${labelSelector} was found`);
  const killedAtMs = Date.now();
  for (const pid of pids) process.kill(pid, "SIGKILL");
  return killedAtMs;
}

function processIds(): number[] {
  return readdirSync("/proc").map(Number).filter(Number.isInteger);
}

function belongsTo(pid: number, uids: readonly string[]): boolean {
  const groups = readProc(pid, "cgroup");
  // The systemd driver writes a uid with underscores.
  const named = uids.some(
    (uid) => groups.includes(uid) || groups.includes(uid.replaceAll("-", "_")),
  );
  return named && readProc(pid, "comm").trim() !== PAUSE;
}

/** A file of a process, empty when the process has ended meanwhile. */
function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}
