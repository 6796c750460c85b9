import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const root = "/sys/fs/cgroup";

/** Fills a group of cgroup v1's cpuset hierarchy like its parent: it takes no process while these are empty. */
function inheritCpuset(folder: string): void {
  for (const name of ["cpuset.cpus", "cpuset.mems"]) {
    if (!existsSync(join(folder, name))) return;
    writeFileSync(join(folder, name), readFileSync(join(dirname(folder), name)));
  }
  writeFileSync(join(folder, "cgroup.clone_children"), "1");
}

/** Makes a cgroup, and those above it, in every hierarchy; on a machine with cgroup v2 there is just one. */
export function createCgroup(path: string): void {
  const isVersion2 = existsSync(join(root, "cgroup.controllers"));
  const hierarchies = isVersion2 ? [""] : readdirSync(root).filter((name) => name !== "unified");
  for (const hierarchy of hierarchies) {
    let folder = join(root, hierarchy);
    for (const name of path.split("/").filter(Boolean)) {
      folder = join(folder, name);
      mkdirSync(folder, { recursive: true });
      if (!isVersion2) inheritCpuset(folder);
    }
  }
}
