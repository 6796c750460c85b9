import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const root = "/sys/fs/cgroup";
/**
 * A group shares the processors with each single process beside it, as one of them unless told otherwise. All pods of a
 * bed stand for those of whole machines: they weigh as much as so many processes, such as API servers.
 */
const PODS_WEIGHT = 8;
/** The files of cgroup v1 and v2 that say so, with what stands for one. */
const WEIGHTS = [
  ["cpu.shares", 1024],
  ["cpu.weight", 100],
] as const;

/** Fills a group of cgroup v1's cpuset hierarchy like its parent: it takes no process while these are empty. */
function inheritCpuset(folder: string): void {
  for (const name of ["cpuset.cpus", "cpuset.mems"]) {
    if (!existsSync(join(folder, name))) return;
    writeFileSync(join(folder, name), readFileSync(join(dirname(folder), name)));
  }
  writeFileSync(join(folder, "cgroup.clone_children"), "1");
}

/** Gives the group that has all pods of a bed its weight, in the hierarchy that has weights. */
function weigh(folder: string): void {
  for (const [name, one] of WEIGHTS) {
    const file = join(folder, name);
    if (existsSync(file)) writeFileSync(file, String(PODS_WEIGHT * one));
  }
}

/** Makes a cgroup, and those above it, in every hierarchy; on a machine with cgroup v2 there is just one. */
export function createCgroup(path: string): void {
  const isVersion2 = existsSync(join(root, "cgroup.controllers"));
  const hierarchies = isVersion2 ? [""] : readdirSync(root).filter((name) => name !== "unified");
  const names = path.split("/").filter(Boolean);
  for (const hierarchy of hierarchies) {
    let folder = join(root, hierarchy);
    for (const name of names) {
      folder = join(folder, name);
      mkdirSync(folder, { recursive: true });
      if (!isVersion2) inheritCpuset(folder);
    }
    weigh(join(root, hierarchy, names[0] ?? ""));
  }
}
