import { readFileSync } from "node:fs";
import { hasCode } from "../../test/bed/error-code.ts";

/** Clock ticks in a second: sysconf(_SC_CLK_TCK), which Linux fixes at 100 for /proc. */
const TICKS_PER_SECOND = 100;

/** CPU time of all threads of these processes and of their living children, user and system, in seconds. */
export function cpuSecondsOf(pids: readonly number[]): number {
  return pids
    .flatMap(withChildren)
    .reduce((sum, pid) => sum + ticksOf(read(`/proc/${pid}/stat`)) / TICKS_PER_SECOND, 0);
}

/** Resident memory of these processes and of their living children, in bytes. */
export function rssBytesOf(pids: readonly number[]): number {
  return pids
    .flatMap(withChildren)
    .reduce((sum, pid) => sum + residentBytesOf(read(`/proc/${pid}/status`)), 0);
}

/** utime and stime, fields 14 and 15 of /proc/PID/stat, which count all threads, also those that ended. */
export function ticksOf(stat: string): number {
  // The name, in parentheses, may hold spaces and parentheses itself; field 3 comes after it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
}

/** VmRSS of /proc/PID/status, in bytes. */
export function residentBytesOf(status: string): number {
  return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
}

function withChildren(pid: number): number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean).map(Number);
  return [pid, ...children.flatMap(withChildren)];
}

/** Empty when the process has ended meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT") || hasCode(error, "ESRCH")) return "";
    throw error;
  }
}
