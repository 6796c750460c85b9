import type { Bed } from "../bed/bed.ts";
import { runOk } from "../bed/command.ts";
import { binaryPaths } from "../setup/binaries.ts";

const KUBECTL_TIMEOUT_MS = 120_000;

/**
 * Runs kubectl with the bed's kubeconfig.
 * @returns what it printed on standard output.
 * @throws Error with all it printed when it fails.
 */
export function kubectl(bed: Bed, ...args: string[]): Promise<string> {
  return runOk(argvOf(bed, args), { timeoutMs: KUBECTL_TIMEOUT_MS });
}

/**
 * Applies a file's text to one of the bed's clusters, as a Git tool would.
 * @returns what kubectl said of each object that it made or changed.
 * @throws Error like {@link kubectl}.
 */
export async function kubectlApply(bed: Bed, cluster: string, input: string): Promise<string[]> {
  const argv = argvOf(bed, ["apply", "--context", cluster, "-f", "-"]);
  const printed = await runOk(argv, { timeoutMs: KUBECTL_TIMEOUT_MS, input });
  return printed.split("\n").filter((line) => line !== "" && !line.endsWith(" unchanged"));
}

function argvOf({ kubeconfigPath }: Bed, args: readonly string[]): string[] {
  return [binaryPaths().kubectl, "--kubeconfig", kubeconfigPath, ...args];
}
