import type { Attempt } from "../test/workload/caller.ts";

/** A refusal or a reset within this time is a fast failure. */
export const FAST_MS = 1000;

/** Whether the kernel or a gateway said no: by a refused or a reset connection. */
export function isRefused({ code }: Pick<Attempt, "code">): boolean {
  return code === "ECONNREFUSED" || code === "ECONNRESET";
}
