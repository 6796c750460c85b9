import { existsSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { KubeConfig } from "@kubernetes/client-node";

export { parseLinkKubeconfig } from "./link-kubeconfig.ts";

/**
 * The kubeconfig a person uses: the given file, else those of KUBECONFIG, else
 * `~/.kube/config`. Exec plugins are allowed. Of entries with one name the
 * first file's wins, as with kubectl.
 *
 * @throws Error naming the files or the context that do not exist
 */
export function loadKubeconfig(
  options: { path?: string; context?: string; env?: NodeJS.ProcessEnv } = {},
): KubeConfig {
  const files = kubeconfigFiles(options.path, options.env ?? process.env);
  const present = files.filter((file) => existsSync(file));
  if (present.length === 0) {
    throw new Error(`no kubeconfig: ${files.join(", ")} not found; set KUBECONFIG`);
  }
  const config = readFiles(present);
  if (options.context !== undefined) config.setCurrentContext(options.context);
  assertContext(config, files);
  return config;
}

/** Names of the contexts that {@link loadKubeconfig} would find; none where a file is missing or broken. */
export function contextNames(
  options: { path?: string; env?: NodeJS.ProcessEnv } = {},
): readonly string[] {
  const files = kubeconfigFiles(options.path, options.env ?? process.env);
  try {
    return readFiles(files.filter((file) => existsSync(file)))
      .getContexts()
      .map(({ name }) => name);
  } catch {
    return [];
  }
}

/**
 * The service account of the pod we run in; its token file is read again as it is renewed.
 *
 * @throws Error when we do not run in a pod
 */
export function loadInCluster(): KubeConfig {
  const missing = ["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"].filter(
    (name) => !process.env[name],
  );
  if (missing.length > 0) throw new Error(`not in a pod: ${missing.join(" and ")} not set`);
  const config = new KubeConfig();
  config.loadFromCluster();
  return config;
}

function kubeconfigFiles(explicit: string | undefined, env: NodeJS.ProcessEnv): string[] {
  if (explicit !== undefined) return [explicit];
  const listed = (env["KUBECONFIG"] ?? "").split(path.delimiter).filter((file) => file !== "");
  return listed.length > 0 ? listed : [path.join(env["HOME"] ?? homedir(), ".kube", "config")];
}

function readFiles(files: readonly string[]): KubeConfig {
  const config = new KubeConfig();
  for (const file of files) addFile(config, file);
  return config;
}

function addFile(config: KubeConfig, file: string): void {
  const added = new KubeConfig();
  try {
    added.loadFromFile(file);
  } catch (error) {
    throw new Error(`kubeconfig ${file} cannot be read`, { cause: error });
  }
  config.clusters = firstOfEachName([...config.clusters, ...added.clusters]);
  config.users = firstOfEachName([...config.users, ...added.users]);
  config.contexts = firstOfEachName([...config.contexts, ...added.contexts]);
  config.currentContext ||= added.currentContext;
}

function firstOfEachName<T extends { name: string }>(entries: readonly T[]): T[] {
  return entries.filter(
    (entry, index) => entries.findIndex(({ name }) => name === entry.name) === index,
  );
}

function assertContext(config: KubeConfig, files: readonly string[]): void {
  const current = config.getCurrentContext();
  const names = config.getContexts().map(({ name }) => name);
  const known = `contexts in ${files.join(", ")}: ${names.join(", ") || "none"}`;
  if (!current) throw new Error(`no current context; ${known}`);
  if (!names.includes(current)) throw new Error(`context ${current} not found; ${known}`);
  if (config.getCurrentCluster() === null || config.getCurrentUser() === null) {
    throw new Error(
      `context ${current} names a cluster or user that is not in ${files.join(", ")}`,
    );
  }
}
