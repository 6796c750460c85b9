import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { binaryPaths } from "../setup/binaries.ts";
import type { Bed } from "./bed.ts";

const projectFolder = join(import.meta.dirname, "..", "..");

/**
 * Puts what one works on a bed with into a folder of the bed: `link` as it was built, also as plugin of kubectl, and
 * the kubectl and Node that belong to it.
 * @returns shell commands that name the bed (BED) and its kubeconfig (KUBECONFIG) and put the folder before the PATH.
 */
export function exportBed({ id, kubeconfigPath }: Bed): string {
  const folder = join(dirname(kubeconfigPath), "bin");
  const bundle = join(projectFolder, "dist", "link.mjs");
  const tools = {
    link: bundle,
    "kubectl-link": bundle,
    kubectl: binaryPaths().kubectl,
    node: join(projectFolder, "node_modules", "node", "bin", "node"),
  };
  mkdirSync(folder, { recursive: true });
  for (const [name, target] of Object.entries(tools)) {
    rmSync(join(folder, name), { force: true });
    symlinkSync(target, join(folder, name));
  }
  return [
    `export BED=${quote(id)}`,
    `export KUBECONFIG=${quote(kubeconfigPath)}`,
    `export PATH=${quote(folder)}${delimiter}"$PATH"`,
  ].join("\n");
}

/** A word that a shell takes as it is. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
