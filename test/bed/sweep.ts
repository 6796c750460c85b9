import {
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { run, runOk } from "./command.ts";
import { poll } from "./poll.ts";
import { readRecords, signalProcess } from "./processes.ts";
import { restoreSysctls } from "./sysctls.ts";

const goneTimeoutMs = 20_000;
const namespacesFolder = "/run/netns";
const cgroupsFolder = "/sys/fs/cgroup";

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Mount points beneath a folder, the innermost first. */
function mountsBeneath(folder: string): string[] {
  return readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((path) => path.startsWith(`${folder}/`))
    .toReversed();
}

function namespaceNames(slot: number): string[] {
  return list(namespacesFolder).filter((name) => name.startsWith(`is${slot}-`));
}

function identity(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

/** Ids of all processes in the network namespaces that the bed made: its own, its nodes' and its pods'. */
function processesInside(slot: number, folder: string): number[] {
  const own = identity("/proc/self/ns/net");
  const namespaces = new Set(
    [...namespaceNames(slot).map((name) => join(namespacesFolder, name)), ...mountsBeneath(folder)]
      .map(identity)
      .filter((id) => id !== undefined && id !== own),
  );
  return list("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const id = identity(`/proc/${pid}/ns/net`);
      return id !== undefined && namespaces.has(id);
    });
}

async function endProcesses(slot: number, folder: string): Promise<void> {
  for (const record of readRecords(folder)) signalProcess(record, "SIGKILL");
  await poll(
    `the processes of slot ${slot} end`,
    () => {
      const inside = processesInside(slot, folder);
      for (const pid of inside) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // It ended meanwhile.
        }
      }
      return inside.length === 0;
    },
    { timeoutMs: goneTimeoutMs, intervalMs: 20 },
  );
}

/** containerd's shims leave their sockets outside of its state folder; each names its own in a file there. */
function removeShimSockets(folder: string): void {
  for (const node of list(join(folder, "nodes"))) {
    const tasks = join(folder, "nodes", node, "state", "io.containerd.runtime.v2.task", "k8s.io");
    for (const task of list(tasks)) {
      try {
        const address = readFileSync(join(tasks, task, "address"), "utf8").replace(
          /^unix:\/\//,
          "",
        );
        if (address.startsWith("/run/containerd/s/")) rmSync(address, { force: true });
      } catch {
        // A task without that file never had a shim.
      }
    }
  }
}

/** The kubelet links each container's log in a folder it does not let us choose. */
function removeLogLinks(folder: string): void {
  const links = "/var/log/containers";
  for (const name of list(links)) {
    const path = join(links, name);
    if (lstatSync(path).isSymbolicLink() && readlinkSync(path).startsWith(`${folder}/`))
      rmSync(path);
  }
}

/** libcni remembers results, by network name and pod, in a folder containerd does not let us choose. */
function removeCniResults(slot: number): void {
  const results = "/var/lib/cni/results";
  for (const name of list(results)) {
    if (!name.startsWith(`is${slot}-`)) continue;
    // Every pod has its loopback interface there, too, under a name that does not tell the bed.
    const [, podSandbox] = /-([0-9a-f]{64})-eth0$/.exec(name) ?? [];
    rmSync(join(results, name));
    rmSync(join(results, `cni-loopback-${podSandbox}-lo`), { force: true });
  }
}

function removeTree(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(folder, entry.name));
  }
  rmdirSync(folder);
}

async function removeCgroups(slot: number): Promise<void> {
  const folders = ["", ...list(cgroupsFolder)]
    .map((hierarchy) => join(cgroupsFolder, hierarchy, `isthmus-${slot}`))
    .filter((folder) => identity(folder) !== undefined);
  for (const folder of folders) {
    // A group stays busy for a moment after its last process has gone.
    await poll(
      `cgroup ${folder} is removed`,
      () => {
        removeTree(folder);
        return true;
      },
      { timeoutMs: goneTimeoutMs, intervalMs: 20 },
    );
  }
}

/**
 * Removes everything of the bed in a slot from what the machine itself knows about it, so it works just as well
 * after a crash halfway: processes, mounts, network namespaces and cables, cgroups, sysctls, and the folder last.
 * @throws Error naming what could not be removed; calling it again carries on.
 */
export async function sweepSlot(slot: number, folder: string): Promise<void> {
  await endProcesses(slot, folder);
  removeShimSockets(folder);
  removeLogLinks(folder);
  removeCniResults(slot);
  const mounts = mountsBeneath(folder);
  if (mounts.length > 0) await runOk(["umount", "-l", ...mounts]);
  for (const name of namespaceNames(slot)) await runOk(["ip", "netns", "del", name]);
  // It went with the fabric's namespace, unless that was never made.
  await run(["ip", "link", "del", `is${slot}-root`]);
  await removeCgroups(slot);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  restoreSysctls();
}
