import { readFileSync } from "node:fs";
import type { KubeConfig } from "@kubernetes/client-node";
import { errorMessage } from "../../api/errors.ts";
import { createKubeClient, type KubeClient } from "../../kube/client/client.ts";
import { contextNames, loadKubeconfig } from "../../kube/kubeconfig/kubeconfig.ts";
import { CliError } from "./cli-error.ts";
import { didYouMean } from "./suggest.ts";

/** A cluster as the person at the terminal reaches it. */
export interface ClusterAccess {
  /** Name of the kubeconfig's context, for messages and for the commands printed next. */
  readonly contextName: string;
  /** Namespace of the context, `default` where it names none, as for kubectl. */
  readonly namespace: string;
  readonly client: KubeClient;
  /** URL of the API server. */
  readonly server: string;
  /** CA of the API server in PEM; undefined when the system's own are meant. */
  readonly caPem: string | undefined;
  /** Name to verify the server's certificate by, where the kubeconfig has one. */
  readonly tlsServerName: string | undefined;
  /** The kubeconfig says not to verify the server, so `caPem` says nothing. */
  readonly insecure: boolean;
}

export interface KubeconfigFlags {
  /** Kubeconfig file; else KUBECONFIG, else ~/.kube/config. */
  kubeconfig?: string | undefined;
  context?: string | undefined;
}

/**
 * Opens a context of the kubeconfig; nothing is sent yet. Close its client.
 * @throws CliError when the kubeconfig cannot be read or lacks the context.
 */
export function openCluster(flags: KubeconfigFlags): ClusterAccess {
  const config = load(flags);
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    throw new CliError(
      `context ${config.getCurrentContext()} names a cluster the kubeconfig lacks`,
      {
        fix: "correct it, or choose another --context",
      },
    );
  }
  return {
    contextName: config.getCurrentContext(),
    namespace: config.getContextObject(config.getCurrentContext())?.namespace || "default",
    client: createKubeClient(config, { userAgent: "isthmus-link" }),
    server: cluster.server,
    caPem: caOf(cluster),
    tlsServerName: cluster.tlsServerName,
    insecure: cluster.skipTLSVerify ?? false,
  };
}

function load({ kubeconfig, context }: KubeconfigFlags): KubeConfig {
  try {
    return loadKubeconfig({
      ...(kubeconfig !== undefined && { path: kubeconfig }),
      ...(context !== undefined && { context }),
    });
  } catch (error) {
    const known = contextNames({ ...(kubeconfig !== undefined && { path: kubeconfig }) });
    const missing = context !== undefined && !known.includes(context) ? context : undefined;
    const guess = missing === undefined ? undefined : didYouMean(missing, known);
    throw new CliError(errorMessage(error), {
      fix:
        guess ??
        "name the file with --kubeconfig or KUBECONFIG, and one of its contexts with --context",
      cause: error,
    });
  }
}

function caOf(cluster: { caData?: string; caFile?: string }): string | undefined {
  if (cluster.caData !== undefined) return Buffer.from(cluster.caData, "base64").toString("utf8");
  return cluster.caFile === undefined ? undefined : readFileSync(cluster.caFile, "utf8");
}
