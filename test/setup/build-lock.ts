import { rmSync, writeFileSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const retryMs = 500;

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Not ours to signal, but there.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function holder(path: string): number | undefined {
  try {
    return Number(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

/** Runs a task while holding a lock file, so that two runs do not build the same thing at once. */
export async function withLock<T>(
  path: string,
  onWait: (pid: number) => void,
  task: () => Promise<T>,
): Promise<T> {
  let told = false;
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
    const pid = holder(path);
    if (pid !== undefined && pid > 0 && isRunning(pid)) {
      if (!told) onWait(pid);
      told = true;
      await sleep(retryMs);
    } else {
      // Its process was killed. An empty file is one being written this moment.
      if (pid === 0) await sleep(retryMs);
      rmSync(path, { force: true });
    }
  }
  try {
    return await task();
  } finally {
    rmSync(path, { force: true });
  }
}
