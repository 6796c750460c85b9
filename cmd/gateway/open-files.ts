import { readFileSync } from "node:fs";

/** How many files this process may have open (RLIMIT_NOFILE); undefined where it cannot be told, or without limit. */
export function maxOpenFiles(): number | undefined {
  try {
    const [, soft] =
      /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
