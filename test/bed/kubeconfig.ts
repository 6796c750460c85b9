import { readFileSync } from "node:fs";
import { parse, stringify } from "yaml";
import { type Api, type ApiAccess, openApi } from "./api.ts";

/** One context of a kubeconfig; cluster, user and context share the name. */
export interface KubeconfigEntry extends ApiAccess {
  readonly name: string;
}

interface KubeconfigFile {
  readonly clusters: { cluster: Record<string, string> }[];
  readonly users: { user: Record<string, string> }[];
}

const base64 = (text: string) => Buffer.from(text).toString("base64");
const text = (encoded = "") => Buffer.from(encoded, "base64").toString();

/** The text of a kubeconfig with client certificates; the first entry is the current context. */
export function kubeconfigText(entries: readonly KubeconfigEntry[]): string {
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: entries.map(({ name, server, caPem }) => ({
      name,
      cluster: { server, "certificate-authority-data": base64(caPem) },
    })),
    users: entries.map(({ name, certPem, keyPem }) => ({
      name,
      user: { "client-certificate-data": base64(certPem), "client-key-data": base64(keyPem) },
    })),
    contexts: entries.map(({ name }) => ({ name, context: { cluster: name, user: name } })),
    "current-context": entries[0]?.name ?? "",
  });
}

/**
 * Reads the first cluster and user of a kubeconfig as the bed or kind writes it, with everything embedded.
 * @throws Error if the file cannot be read or holds no client certificate.
 */
export function readKubeconfig(path: string): ApiAccess {
  const config: KubeconfigFile = parse(readFileSync(path, "utf8"));
  const cluster = config.clusters[0]?.cluster;
  const user = config.users[0]?.user;
  if (!cluster?.["server"] || !user?.["client-certificate-data"]) {
    throw new Error(`${path} is no kubeconfig with a client certificate`);
  }
  return {
    server: cluster["server"],
    caPem: text(cluster["certificate-authority-data"]),
    certPem: text(user["client-certificate-data"]),
    keyPem: text(user["client-key-data"]),
  };
}

/** Opens a client for a kubeconfig. @throws Error like {@link readKubeconfig}. */
export function openKubeconfig(path: string): Api {
  return openApi(readKubeconfig(path));
}
