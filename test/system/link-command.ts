import { run } from "../bed/command.ts";
import type { Bed, CommandResult } from "../bed/bed.ts";

const LINK_BUNDLE = new URL("../../dist/link.mjs", import.meta.url).pathname;
const LINK_TIMEOUT_MS = 180_000;

/** Runs the `link` command as it is shipped, with the bed's kubeconfig; that it fails does not throw. */
export async function tryLink(bed: Bed, ...args: string[]): Promise<CommandResult> {
  const argv = [process.execPath, LINK_BUNDLE, ...args, "--kubeconfig", bed.kubeconfigPath];
  return await run(argv, { timeoutMs: LINK_TIMEOUT_MS });
}

/**
 * Runs the `link` command as it is shipped, with the bed's kubeconfig.
 * @returns what it printed.
 * @throws Error with all it printed when it fails.
 */
export async function link(bed: Bed, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await tryLink(bed, ...args);
  if (code !== 0) throw new Error(`link ${args.join(" ")} ended with ${code}:\n${stdout}${stderr}`);
  return stdout;
}
