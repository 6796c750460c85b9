import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// The kubelet sets these for the whole machine at its start.
const setByKubelet = ["vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops"];
const inotify = "fs/inotify/max_user_instances";
/** Debian's 128 are used up by the kubelets and runtimes of a few beds; a kubelet that gets none ends at once. */
const minInotifyInstances = 2048;

const path = (name: string) => join("/proc/sys", name);
const savedPath = () => join(tmpdir(), "isthmus-sysctls.json");
const read = (name: string) => readFileSync(path(name), "utf8").trim();

function readSaved(): Record<string, string> {
  if (!existsSync(savedPath())) return {};
  const saved: Record<string, string> = JSON.parse(readFileSync(savedPath(), "utf8"));
  return saved;
}

/** Notes the machine's own values before the first of all beds changes them, and raises what beds need more of. */
export function prepareSysctls(): void {
  const current = Object.fromEntries([...setByKubelet, inotify].map((name) => [name, read(name)]));
  const partial = `${savedPath()}.${process.pid}`;
  writeFileSync(partial, JSON.stringify({ ...current, ...readSaved() }));
  renameSync(partial, savedPath());
  if (Number(current[inotify]) < minInotifyInstances)
    writeFileSync(path(inotify), String(minInotifyInstances));
}

/** Puts the noted values back once the last bed has gone. */
export function restoreSysctls(): void {
  if (readdirSync(tmpdir()).some((name) => /^isthmus-bed-\d+$/.test(name))) return;
  for (const [name, value] of Object.entries(readSaved())) writeFileSync(path(name), value);
  rmSync(savedPath(), { force: true });
}
